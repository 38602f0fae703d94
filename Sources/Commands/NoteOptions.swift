import ArgumentParser

/// How much a command says besides its data, for every command.
public struct NoteOptions: ParsableArguments {
  @Flag(help: "Leave out progress and notes. Errors and data are written as always.")
  public var quiet = false

  public init() {}
}
