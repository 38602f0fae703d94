import Foundation
import TestSupport

/// `report serve` in a process of its own, at a port that was free.
struct RunningService: Sendable {
  let address: String
  let process: pid_t
  /// What it has written to standard error so far.
  let log: URL

  struct Failure: Error, CustomStringConvertible { let description: String }

  static var program: String {
    URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
      .deletingLastPathComponent().appendingPathComponent("report").path
  }

  static func with<T: Sendable>(
    _ url: String, _ arguments: [String] = [], _ body: (RunningService) async throws -> T
  ) async throws -> T {
    let log = FileManager.default.temporaryDirectory.appending(path: "serve-\(UUID()).log")
    try Data().write(to: log)
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = ["serve", "--port", "0", "--database-url", url] + arguments
    process.standardError = try FileHandle(forWritingTo: log)
    try process.run()
    do {
      let value = try await body(await service(process, log))
      await stop(process, log)
      return value
    } catch {
      await stop(process, log)
      throw error
    }
  }

  private static func service(_ process: Process, _ log: URL) async throws -> RunningService {
    while process.isRunning {
      let text = try String(contentsOf: log, encoding: .utf8)
      if let found = text.firstMatch(of: /serving at ([^"\s]+)\//) {
        return RunningService(
          address: String(found.output.1), process: process.processIdentifier, log: log)
      }
      try await Task.sleep(for: .milliseconds(20))
    }
    throw Failure(description: try String(contentsOf: log, encoding: .utf8))
  }

  private static func stop(_ process: Process, _ log: URL) async {
    if process.isRunning { process.terminate() }
    // Not waitUntilExit, which would keep other tests waiting.
    while process.isRunning { try? await Task.sleep(for: .milliseconds(10)) }
    try? FileManager.default.removeItem(at: log)
  }

  struct Answer: Sendable {
    let status: Int
    /// By their names in lower case; of those that come twice both, a line each.
    let headers: [String: String]
    let body: String
  }

  /// Asks with curl, as any client.
  /// - Parameter options: more of curl's.
  func ask(
    _ path: String, token: String? = nil, headers: [String] = [], form: [String: String]? = nil,
    options: [String] = []
  ) async throws -> Answer {
    let stem = FileManager.default.temporaryDirectory.appending(path: "answer-\(UUID())").path
    defer {
      for suffix in [".head", ".body"] {
        try? FileManager.default.removeItem(atPath: stem + suffix)
      }
    }
    var arguments =
      ["/usr/bin/env", "curl", "-sS", "--path-as-is", "--globoff"]
      + ["-D", stem + ".head", "-o", stem + ".body"] + options
    if let token { arguments += ["-H", "Authorization: Bearer \(token)"] }
    for header in headers { arguments += ["-H", header] }
    for (name, value) in form ?? [:] { arguments += ["--data-urlencode", "\(name)=\(value)"] }
    let outcome = await run(arguments + ["\(address)\(path)"])
    guard outcome.status == 0 else { throw Failure(description: outcome.error) }
    func read(_ suffix: String) -> String {
      let bytes = FileManager.default.contents(atPath: stem + suffix) ?? Data()
      return String(decoding: bytes, as: UTF8.self).replacing("\r\n", with: "\n")
    }
    let lines = read(".head").split(separator: "\n")
    var found: [String: String] = [:]
    for line in lines.dropFirst() {
      let pair = line.split(separator: ":", maxSplits: 1).map {
        $0.trimmingCharacters(in: .whitespaces)
      }
      guard pair.count == 2 else { continue }
      let name = pair[0].lowercased()
      found[name] = found[name].map { $0 + "\n" + pair[1] } ?? pair[1]
    }
    let status = lines.first?.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
    return Answer(status: status, headers: found, body: read(".body"))
  }
}
