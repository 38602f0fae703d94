import Synchronization

/// What the service counts of itself, as Prometheus reads it.
final class Metrics: Sendable {
  private struct Counts {
    var requests: [Key: Int] = [:]
    var buckets = [Int](repeating: 0, count: Metrics.bounds.count)
    var seconds = 0.0
    var answered = 0
    var inFlight = 0
    var limited = 0
    var lists = 0
  }

  private struct Key: Hashable {
    let route: String
    let status: Int
  }

  /// Upper bounds of the histogram's buckets, in seconds.
  private static let bounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10]

  private let counts = Mutex(Counts())

  func began() { counts.withLock { $0.inFlight += 1 } }

  /// - Parameter route: the route's pattern, never what was put into it.
  func answered(_ route: String, status: Int, seconds: Double) {
    counts.withLock { counts in
      counts.inFlight -= 1
      counts.requests[Key(route: route, status: status), default: 0] += 1
      counts.answered += 1
      counts.seconds += seconds
      for (place, bound) in Self.bounds.enumerated() where seconds <= bound {
        counts.buckets[place] += 1
      }
    }
  }

  func limited() { counts.withLock { $0.limited += 1 } }
  func readList() { counts.withLock { $0.lists += 1 } }

  /// In Prometheus's text format, version 0.0.4.
  var text: String {
    let counts = counts.withLock { $0 }
    var lines = ["# TYPE report_requests_total counter"]
    for (key, count) in counts.requests.sorted(by: {
      ($0.key.route, $0.key.status) < ($1.key.route, $1.key.status)
    }) {
      lines.append(
        "report_requests_total{route=\"\(key.route)\",status=\"\(key.status)\"} \(count)")
    }
    lines.append("# TYPE report_request_seconds histogram")
    for (bound, count) in zip(Self.bounds, counts.buckets) {
      lines.append("report_request_seconds_bucket{le=\"\(bound)\"} \(count)")
    }
    lines += [
      "report_request_seconds_bucket{le=\"+Inf\"} \(counts.answered)",
      "report_request_seconds_sum \(counts.seconds)",
      "report_request_seconds_count \(counts.answered)",
      "# TYPE report_requests_in_flight gauge", "report_requests_in_flight \(counts.inFlight)",
      "# TYPE report_requests_limited_total counter",
      "report_requests_limited_total \(counts.limited)",
      "# TYPE report_lists_read_total counter", "report_lists_read_total \(counts.lists)",
    ]
    return lines.joined(separator: "\n") + "\n"
  }
}
