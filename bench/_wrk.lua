-- Sends each signed body of a file once: lines of signature, tab, body. Arguments: file, path, milliseconds to pause.
local threads = 0
function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end

function init(args)
  local file, path = args[1], args[2]
  pause, sent, requests = tonumber(args[3] or "0"), 0, {}
  local line_number = 0
  for line in io.lines(file) do
    if line_number % 2 == number then
      local signature, body = line:match("^(%S+)\t(.*)$")
      local headers = {["X-Hub-Signature"] = signature, ["Content-Type"] = "application/json"}
      requests[#requests + 1] = wrk.format("POST", path, headers, body)
    end
    line_number = line_number + 1
  end
end

function request()
  sent = sent + 1
  return requests[(sent - 1) % #requests + 1]
end

function delay()
  return pause
end

function done(summary, latency, _)
  local errors = summary.errors
  local bad = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format('{"requests":%d,"seconds":%f,"bad":%d,"p50_ms":%f,"p99_ms":%f}\n', summary.requests,
    summary.duration / 1e6, bad, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
