-- What wrk has counted, as one line of JSON. Read by tvsc/bench/lab_load.py.
function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '{"requests": %d, "bytes": %d, "duration_us": %d, "connect": %d, "read": %d, "write": %d, '
      .. '"status": %d, "timeout": %d, "p50_us": %.1f, "p99_us": %.1f, "p999_us": %.1f}\n',
    summary.requests, summary.bytes, summary.duration, errors.connect, errors.read, errors.write,
    errors.status, errors.timeout, latency:percentile(50), latency:percentile(99),
    latency:percentile(99.9)))
end
