import Foundation

/// Runs PostgreSQL's own programs.
enum Subprocess {
  struct Outcome: Sendable {
    let status: Int32
    /// Standard output and error together.
    let output: String
  }

  /// Runs a program to its end. Its output goes through a file, so that a server it leaves behind does not keep a pipe of
  /// ours open.
  static func run(_ program: String, _ arguments: [String], as user: String? = nil) async throws
    -> Outcome
  {
    let process = Process()
    let asUser = user.map { ["-u", $0, "--", program] } ?? []
    process.executableURL = URL(fileURLWithPath: user == nil ? program : "/usr/sbin/runuser")
    process.arguments = asUser + arguments
    // Not the caller's folder: another user may not be able to enter it.
    process.currentDirectoryURL = URL(fileURLWithPath: "/")
    let path = NSTemporaryDirectory() + "/rollup-\(UUID().uuidString).out"
    try Data().write(to: URL(fileURLWithPath: path))
    defer { try? FileManager.default.removeItem(atPath: path) }
    let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = file
    process.standardError = file
    let status: Int32 = try await withCheckedThrowingContinuation { continuation in
      process.terminationHandler = { continuation.resume(returning: $0.terminationStatus) }
      do {
        try process.run()
      } catch {
        process.terminationHandler = nil
        continuation.resume(throwing: error)
      }
    }
    try file.close()
    return Outcome(
      status: status, output: (try? String(contentsOfFile: path, encoding: .utf8)) ?? "")
  }
}
