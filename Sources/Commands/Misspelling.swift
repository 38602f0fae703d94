import ArgumentParser
import Foundation
import RollupStore

/// A name on a command line that does not exist. It is told before anything that is missing or wrong: who writes
/// `--quater 2024Q2` is not told that a period is missing, which ArgumentParser says first.
enum Misspelling {
  /// The first unknown command or option of a command line that could not be parsed, in a sentence.
  /// - Returns: nil when all names exist: then what ArgumentParser says is right.
  static func first(in arguments: [String], of program: any ParsableCommand.Type) -> String? {
    guard let shape = try? JSONDecoder().decode(Shape.self, from: Data(program._dumpHelp().utf8))
    else { return nil }
    var reading = Reading(shape.command)
    return reading.firstMistake(in: arguments)
  }
}

/// A command as `--experimental-dump-help` describes it: the part that is needed here.
private struct Shape: Decodable {
  let command: CommandShape
}

private struct CommandShape: Decodable {
  let commandName: String
  let aliases: [String]?
  let subcommands: [CommandShape]?
  /// The one that is meant where none is named.
  let defaultSubcommand: String?
  let arguments: [ArgumentShape]?

  func subcommand(_ name: String) -> CommandShape? {
    subcommands?.first { $0.commandName == name || $0.aliases?.contains(name) == true }
  }

  /// Its arguments, and those of the subcommand that is meant where none is named.
  var accepted: [ArgumentShape] {
    (arguments ?? []) + (defaultSubcommand.flatMap(subcommand)?.accepted ?? [])
  }

  var hasPositionals: Bool { arguments?.contains { $0.kind == "positional" } == true }
}

private struct ArgumentShape: Decodable {
  struct Name: Decodable {
    let kind: String
    let name: String

    /// As it is typed.
    var typed: String { (kind == "long" ? "--" : "-") + name }
  }

  /// `positional`, `option` or `flag`.
  let kind: String
  let shouldDisplay: Bool
  let names: [Name]?

  var typed: [String] { (names ?? []).map(\.typed) }
}

/// A command line, read from left to right.
private struct Reading {
  /// The program, and the commands below it that were named.
  private var commands: [CommandShape]
  /// After `help` come only commands.
  private var isHelp = false

  init(_ root: CommandShape) { commands = [root] }

  /// What ArgumentParser understands besides what a command declares.
  private static let builtIn = [
    "--help", "-h", "--help-hidden", "--version", "--generate-completion-script",
    "--experimental-dump-help",
  ]

  private var path: String { commands.map(\.commandName).joined(separator: " ") }

  mutating func firstMistake(in arguments: [String]) -> String? {
    var rest = arguments[...]
    while let argument = rest.popFirst() {
      if argument == "--" { return nil }
      if argument.hasPrefix("-"), argument != "-" {
        let name = String(argument.prefix { $0 != "=" })
        if Self.builtIn.contains(name) { return nil }
        guard let option = option(name) else { return unknown(option: name) }
        guard option.kind == "option", !argument.contains("=") else { continue }
        guard let value = rest.popFirst() else { return nil }
        if value.hasPrefix("-"), value != "-" {
          return missingValue(of: name, before: value)
        }
      } else if let mistake = descend(to: argument) {
        return mistake
      }
    }
    return nil
  }

  private func option(_ name: String) -> ArgumentShape? {
    commands.flatMap(\.accepted).first { $0.typed.contains(name) }
  }

  private mutating func descend(to name: String) -> String? {
    guard let last = commands.last, let subcommands = last.subcommands else { return nil }
    if name == "help" {
      isHelp = true
    } else if let next = last.subcommand(name) {
      commands.append(next)
    } else if isHelp || !last.hasPositionals {
      let names = subcommands.map(\.commandName)
      let near = nearest(to: name, among: names, atMost: 1).first
      return "'\(name)' is not a command of '\(path)'. "
        + (near.map { "The nearest is '\($0)'." }
          ?? "Its commands are \(names.joined(separator: ", ")).") + advice
    }
    return nil
  }

  private func unknown(option name: String) -> String {
    let known = commands.flatMap(\.accepted).filter(\.shouldDisplay).flatMap(\.typed)
    // Without the dashes, which all have in common.
    let words = known.filter { $0.hasPrefix("--") }.map { String($0.dropFirst(2)) }
    let near = nearest(to: String(name.drop { $0 == "-" }), among: words, atMost: 1).first
    return "'\(path)' has no option '\(name)'."
      + (near.map { " The nearest is '--\($0)'." } ?? "") + advice
  }

  private func missingValue(of name: String, before value: String) -> String {
    option(String(value.prefix { $0 != "=" })) == nil && !Self.builtIn.contains(value)
      ? "'\(name)' needs a value, and '\(value)' is not an option of '\(path)'. "
        + "If it is the value, write \(name)=\(value)." + advice
      : "'\(name)' needs a value before '\(value)'." + advice
  }

  private var advice: String { "\nSee '\(path) --help' for more information." }
}
