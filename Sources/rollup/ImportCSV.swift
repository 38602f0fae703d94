import ArgumentParser
import Commands
import Import

/// `rollup import csv`.
struct ImportCSV: Command {
  static let configuration = CommandConfiguration(
    commandName: "csv",
    abstract: "Import CSV files of facilities, patients, readings, blood sugars and visits.",
    discussion: """
      Any of the five, plain or .gz, each with a header. '--template .' writes examples to begin from. A row that is \
      stored already becomes as the file has it; running the import again changes nothing.
      """)

  @OptionGroup var database: DatabaseOptions
  @OptionGroup var notes: NoteOptions
  @OptionGroup var arguments: ImportArguments

  @Option(help: "The facilities.", completion: .file()) var facilities: String?
  @Option(help: "The patients.", completion: .file()) var patients: String?
  @Option(help: "The blood-pressure readings.", completion: .file()) var readings: String?
  @Option(help: "The blood sugars.", completion: .file()) var bloodSugars: String?
  @Option(help: "The visits without a reading.", completion: .file()) var visits: String?

  @Option(
    help: ArgumentHelp("Only write example files into this folder.", valueName: "folder"),
    completion: .directory)
  var template: String?

  var databaseDescription: String? { database.described }

  private var files: [CSVKind: String] {
    [
      .facilities: facilities, .patients: patients, .readings: readings,
      .bloodSugars: bloodSugars, .visits: visits,
    ]
    .compactMapValues { $0 }
  }

  func validate() throws {
    if files.isEmpty, template == nil {
      throw ValidationError(
        "no file given: expected at least one of --facilities, --patients, --readings, --blood-sugars and --visits, for example "
          + "rollup import csv --readings readings.csv")
    }
    if !files.isEmpty, template != nil {
      throw ValidationError("--template imports nothing: leave it out, or the files")
    }
  }

  func execute() async throws {
    if let template {
      let written = try CSVImport.writeTemplates(to: template)
      written.forEach(Terminal.print)
      if written.count < CSVKind.allCases.count {
        Terminal.say("files that were there are left as they are")
      }
      return
    }
    let files = files
    try await arguments.run(database) { options, store, connection in
      try await CSVImport(files, options).run(store.rollups, on: connection)
    }
  }
}
