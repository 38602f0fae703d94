import Foundation
import TestSupport

/// `report serve` in a process of its own, at a port that was free.
struct RunningService: Sendable {
  let address: String
  /// What it has written to standard error so far.
  let log: URL

  struct Failure: Error, CustomStringConvertible { let description: String }

  static func with<T: Sendable>(
    _ url: String, _ arguments: [String] = [], _ body: (RunningService) async throws -> T
  ) async throws -> T {
    let log = FileManager.default.temporaryDirectory.appending(path: "serve-\(UUID()).log")
    FileManager.default.createFile(atPath: log.path, contents: nil)
    defer { try? FileManager.default.removeItem(at: log) }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
      .deletingLastPathComponent().appendingPathComponent("report")
    process.arguments = ["serve", "--port", "0", "--database-url", url] + arguments
    process.standardError = try FileHandle(forWritingTo: log)
    try process.run()
    defer {
      process.terminate()
      process.waitUntilExit()
    }
    while process.isRunning {
      let text = try String(contentsOf: log, encoding: .utf8)
      if let found = text.firstMatch(of: /serving at (\S+)\//) {
        return try await body(RunningService(address: String(found.output.1), log: log))
      }
      try await Task.sleep(for: .milliseconds(20))
    }
    throw Failure(description: try String(contentsOf: log, encoding: .utf8))
  }

  struct Answer: Sendable {
    let status: Int
    /// By their names in lower case; of those that come twice both, a line each.
    let headers: [String: String]
    let body: String
  }

  /// Asks with curl, as any client.
  func ask(
    _ path: String, token: String? = nil, headers: [String] = [], form: [String: String]? = nil
  ) throws -> Answer {
    var arguments = ["/usr/bin/env", "curl", "-sS", "-i", "--path-as-is", "--globoff"]
    if let token { arguments += ["-H", "Authorization: Bearer \(token)"] }
    for header in headers { arguments += ["-H", header] }
    for (name, value) in form ?? [:] { arguments += ["--data-urlencode", "\(name)=\(value)"] }
    let outcome = run(arguments + ["\(address)\(path)"])
    guard outcome.status == 0 else { throw Failure(description: outcome.error) }
    let normal = outcome.output.replacing("\r\n", with: "\n")
    let parts = normal.split(separator: "\n\n", maxSplits: 1, omittingEmptySubsequences: false)
    let lines = parts[0].split(separator: "\n")
    var found: [String: String] = [:]
    for line in lines.dropFirst() {
      let pair = line.split(separator: ":", maxSplits: 1).map {
        $0.trimmingCharacters(in: .whitespaces)
      }
      guard pair.count == 2 else { continue }
      found[pair[0].lowercased(), default: ""] +=
        (found[pair[0].lowercased()] == nil ? "" : "\n") + pair[1]
    }
    let status = lines.first?.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
    return Answer(
      status: status, headers: found, body: parts.count > 1 ? String(parts[1]) : "")
  }
}
