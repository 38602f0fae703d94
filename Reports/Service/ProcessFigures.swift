import Foundation
import Glibc

/// What the system says of this process, in the units that Prometheus's client libraries use.
struct ProcessFigures: Sendable {
  let cpuSeconds: Double
  let residentBytes: Int
  let virtualBytes: Int
  let threads: Int
  /// Seconds since 1970.
  let startedAt: Double
  let openFiles: Int
  let mostOpenFiles: Int

  /// - Returns: nil where there is no `/proc`.
  init?() {
    guard let stat = try? String(contentsOfFile: "/proc/self/stat", encoding: .utf8),
      let booted = Self.bootedAt, let end = stat.lastIndex(of: ")")
    else { return nil }
    // proc(5): the program's name is in brackets; state, field 3, is the first behind them.
    let fields = stat[stat.index(after: end)...].split(separator: " ")
    func number(_ field: Int) -> Double {
      fields.indices.contains(field - 3) ? Double(fields[field - 3]) ?? 0 : 0
    }
    let ticks = Double(sysconf(Int32(_SC_CLK_TCK)))
    cpuSeconds = (number(14) + number(15)) / ticks
    threads = Int(number(20))
    startedAt = booted + number(22) / ticks
    virtualBytes = Int(number(23))
    residentBytes = Int(number(24)) * Int(sysconf(Int32(_SC_PAGESIZE)))
    openFiles = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count) ?? 0
    var limit = rlimit()
    mostOpenFiles =
      getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0
      ? Int(clamping: limit.rlim_cur) : 0
  }

  private static var bootedAt: Double? {
    let stat = try? String(contentsOfFile: "/proc/stat", encoding: .utf8)
    let line = stat?.split(separator: "\n").first { $0.hasPrefix("btime ") }
    return line.flatMap { Double($0.dropFirst("btime ".count)) }
  }
}
