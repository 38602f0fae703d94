import Foundation

/// Where the commands are: beside the tests' own program.
public let commandsFolder = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
  .deletingLastPathComponent().path

/// Runs a script with the commands on its PATH and a database as theirs, in a folder of its own that is removed afterwards.
public func sh(_ script: String, _ url: String, _ environment: [String: String] = [:]) async
  -> (status: Int32, output: String, error: String)
{
  let folder = FileManager.default.temporaryDirectory.appending(
    path: "commands-\(UUID().uuidString)")
  defer { try? FileManager.default.removeItem(at: folder) }
  return await run(
    [
      "/bin/sh", "-c",
      "mkdir '\(folder.path)' && cd '\(folder.path)' || exit 1; PATH='\(commandsFolder)':$PATH; \(script)",
    ], environment: environment.merging(["DATABASE_URL": url]) { $1 })
}
