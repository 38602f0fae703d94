import ArgumentParser
import Foundation
import Output

/// The first command of a program, the one that `@main` marks. All that the program writes goes through ``StandardStreams``,
/// what ArgumentParser has to say included: help, the version, completion scripts, usage errors.
public protocol Program: AsyncParsableCommand {}

extension Program {
  /// Parses the command line and runs the command: the program's `main`. Each program says so itself, because `@main` takes
  /// ArgumentParser's own before one of a protocol's extension.
  public static func start() async {
    StandardStreams.prepare()
    let code = await run(Array(CommandLine.arguments.dropFirst()))
    Glibc.exit(ending(code))
  }

  private static func run(_ arguments: [String]) async -> Int32 {
    var command: any ParsableCommand
    do {
      command = try await asyncParseAsRoot(arguments)
      // ArgumentParser takes 'help clsoe' for 'help'.
      if arguments.first == "help", let mistake = Misspelling.first(in: arguments, of: Self.self) {
        return refuse(mistake)
      }
    } catch {
      let isUsage = exitCode(for: error) == .validationFailure
      let mistake = isUsage ? Misspelling.first(in: arguments, of: Self.self) : nil
      return mistake.map(refuse) ?? tell(error)
    }
    do {
      if let command = command as? any Command { Terminal.isQuiet = command.notes.quiet }
      if var command = command as? any AsyncParsableCommand {
        try await command.run()
      } else {
        try command.run()
      }
      return EXIT_SUCCESS
    } catch {
      return tell(error)
    }
  }

  private static func refuse(_ mistake: String) -> Int32 {
    Terminal.complain("Error: " + mistake)
    return ExitCode.validationFailure.rawValue
  }

  /// Says what ended the command.
  /// - Returns: the exit code.
  private static func tell(_ error: any Error) -> Int32 {
    let (text, code) = (fullMessage(for: error), exitCode(for: error))
    if !text.isEmpty {
      if code.isSuccess { Terminal.print(text) } else { Terminal.complain(text) }
    }
    return code.rawValue
  }

  /// The exit code when standard output is taken into account.
  ///
  /// A reader that has closed the pipe wanted no more: that is not said, and the code is what a shell shows of a program that
  /// SIGPIPE ended. An error of the command itself keeps its code.
  private static func ending(_ code: Int32) -> Int32 {
    guard let failure = StandardStreams.failure else { return code }
    if failure.isClosedPipe { return code == EXIT_SUCCESS ? 128 + SIGPIPE : code }
    Terminal.complain("\(Terminal.program): \(failure)")
    return Failure(failure).code
  }
}
