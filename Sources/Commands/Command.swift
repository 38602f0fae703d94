import ArgumentParser
import Output

/// A command of this project: what goes wrong is said on standard error in a sentence, with the exit code of sysexits.h
/// that DESIGN.md section 8 names; data goes to standard output.
public protocol Command: AsyncParsableCommand {
  func execute() async throws
  /// How much the command says: an option group.
  var notes: NoteOptions { get }
  /// Where the command looked for its database, for the message that there is none.
  var databaseDescription: String? { get }
}

extension Command {
  public var databaseDescription: String? { nil }

  public func run() async throws {
    do {
      try await execute()
    } catch let exit as ExitCode {
      throw exit
    } catch let failure as OutputFailure where failure == StandardStreams.failure {
      // Said by the program, which looks at the output of every command (``Program``).
    } catch {
      let failure = Failure(error, database: databaseDescription)
      Terminal.complain("\(Terminal.program): \(failure.message)")
      throw ExitCode(failure.code)
    }
  }
}
