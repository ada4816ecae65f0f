-- For wrk: every request a different one, so that no stored answer serves it.
-- Arguments: file with the body, in which @EVENT@ stands for the eventId, and for whatever else is to be new each time;
-- name of the run; secret.

local parts, run
local count = 0

function init(args)
    local file = assert(io.open(args[1], "rb"))
    local body = file:read("*a") .. "@EVENT@"
    file:close()
    run = args[2]
    parts = {}
    for part in body:gmatch("(.-)@EVENT@") do
        parts[#parts + 1] = part
    end
    local length = (#parts - 1) * (#run + 9)
    for _, part in ipairs(parts) do
        length = length + #part
    end
    parts[1] = "POST /okta/import HTTP/1.1\r\nHost: hook\r\nAuthorization: " .. args[3]
        .. "\r\nContent-Type: application/json\r\nContent-Length: " .. length .. "\r\n\r\n" .. parts[1]
end

function request()
    count = count + 1
    return table.concat(parts, run .. string.format("%09d", count))
end

function done(summary, latency, _)
    local errors = summary.errors
    io.write(string.format(
        '{"requests": %d, "seconds": %.6f, "p50": %.3f, "p99": %.3f, "p999": %.3f, "failed": %d}\n',
        summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
        latency:percentile(99.9) / 1e3, errors.status + errors.connect + errors.read + errors.write + errors.timeout
    ))
end
