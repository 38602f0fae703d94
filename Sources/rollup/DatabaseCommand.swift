import ArgumentParser
import Commands
import Foundation
import Postgres

/// `rollup db`: the private server.
struct DatabaseCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "db",
    abstract: "The private PostgreSQL server, used when no other database is configured.",
    discussion:
      "Its files are in $ROLLUP_HOME, else .rollup in the current folder. It listens on a Unix socket only.",
    subcommands: [Start.self, Stop.self, Status.self, URLCommand.self])

  /// The private server of this folder, whatever other database is configured.
  static var server: LocalServer { LocalServer(home: LocalServer.defaultHome()) }

  struct Start: Command {
    static let configuration = CommandConfiguration(
      abstract: "Start it, making it first if there is none.")

    @OptionGroup var notes: NoteOptions

    func execute() async throws {
      let server = DatabaseCommand.server
      Terminal.print(try await server.start())
    }
  }

  struct Stop: Command {
    static let configuration = CommandConfiguration(abstract: "Stop it; the data stays.")

    @OptionGroup var notes: NoteOptions

    func execute() async throws {
      let stopped = try await DatabaseCommand.server.stop()
      Terminal.say(stopped ? "stopped" : "it was not running")
    }
  }

  struct Status: Command {
    static let configuration = CommandConfiguration(
      abstract: "Say whether it runs. Exit code 3 when it does not.")

    @OptionGroup var notes: NoteOptions

    func execute() async throws {
      let server = DatabaseCommand.server
      switch try await server.status() {
      case .notCreated:
        Terminal.print("not created; 'rollup db start' makes it in \(server.home.path)")
      case .stopped: Terminal.print("stopped; its files are in \(server.home.path)")
      case .running(let pid, _):
        Terminal.print("running, process \(pid), \(server.url)")
        return
      }
      throw ExitCode(3)
    }
  }

  struct URLCommand: Command {
    static let configuration = CommandConfiguration(
      commandName: "url", abstract: "Print its URL, for psql and others.")

    @OptionGroup var notes: NoteOptions

    func execute() async throws { Terminal.print(DatabaseCommand.server.url) }
  }
}
