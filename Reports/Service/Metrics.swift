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

  private let version: String
  private let counts = Mutex(Counts())

  init(version: String) { self.version = version }

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
    let requests = counts.requests.sorted {
      ($0.key.route, $0.key.status) < ($1.key.route, $1.key.status)
    }.map { key, count in
      ("_total{route=\"\(key.route)\",status=\"\(key.status)\"}", "\(count)")
    }
    let buckets =
      zip(Self.bounds, counts.buckets).map { ("_bucket{le=\"\($0)\"}", "\($1)") } + [
        ("_bucket{le=\"+Inf\"}", "\(counts.answered)"), ("_sum", "\(counts.seconds)"),
        ("_count", "\(counts.answered)"),
      ]
    let families = [
      Family("report_build_info", .gauge, "The version of the program; always 1.")
        .with([("{version=\"\(version)\"}", "1")]),
      Family("report_requests", .counter, "Requests that were answered, by route and status.")
        .with(requests),
      Family("report_request_seconds", .histogram, "How long answers took, in seconds.")
        .with(buckets),
      Family("report_requests_in_flight", .gauge, "Requests that are being answered.")
        .with(counts.inFlight),
      Family("report_requests_limited", .counter, "Requests refused since they came too often.")
        .with(counts.limited),
      Family("report_lists_read", .counter, "Lists of patients that were read.")
        .with(counts.lists),
    ]
    return (families + Self.process).map(\.text).joined()
  }

  private static var process: [Family] {
    guard let own = ProcessFigures() else { return [] }
    return [
      Family("process_cpu_seconds", .counter, "Processor time of the process, in seconds.")
        .with([("_total", "\(own.cpuSeconds)")]),
      Family("process_resident_memory_bytes", .gauge, "Memory that the process has in use.")
        .with(own.residentBytes),
      Family("process_virtual_memory_bytes", .gauge, "Addresses that the process has in use.")
        .with(own.virtualBytes),
      Family("process_open_fds", .gauge, "Files and connections that the process has open.")
        .with(own.openFiles),
      Family("process_max_fds", .gauge, "How many it may have open.").with(own.mostOpenFiles),
      Family("process_threads", .gauge, "Threads of the process.").with(own.threads),
      Family("process_start_time_seconds", .gauge, "When it began, in seconds since 1970.")
        .with([("", "\(own.startedAt)")]),
    ]
  }
}

/// Numbers of one kind, with what they mean.
private struct Family {
  enum Kind: String { case counter, gauge, histogram }

  let name: String
  let kind: Kind
  let help: String
  /// What follows the name, and the number.
  var samples: [(suffix: String, value: String)] = []

  init(_ name: String, _ kind: Kind, _ help: String) {
    self.name = name
    self.kind = kind
    self.help = help
  }

  func with(_ samples: [(suffix: String, value: String)]) -> Family {
    var family = self
    family.samples = samples
    return family
  }

  func with(_ number: Int) -> Family { with([(kind == .counter ? "_total" : "", "\(number)")]) }

  var text: String {
    // In this version of the format a counter's name is that of its samples.
    let title = kind == .counter ? name + "_total" : name
    let lines = samples.map { "\(name)\($0.suffix) \($0.value)" }
    return (["# HELP \(title) \(help)", "# TYPE \(title) \(kind.rawValue)"] + lines)
      .map { $0 + "\n" }.joined()
  }
}
