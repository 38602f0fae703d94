import ArgumentParser
import Commands
import Import

/// `rollup import fhir`.
struct ImportFHIR: Command {
  static let configuration = CommandConfiguration(
    commandName: "fhir", abstract: "Import a folder of FHIR R4 resources, one a line (NDJSON).",
    discussion: """
      Reads Organization*, Patient*, Condition*, Encounter* and Observation*.ndjson, plain or .gz. The folder is taken \
      for all there is of its patients: a row that is stored already becomes as the files have it. Running it again \
      changes nothing.
      """)

  @OptionGroup var database: DatabaseOptions
  @OptionGroup var notes: NoteOptions
  @OptionGroup var arguments: ImportArguments

  @Argument(help: "The folder.", completion: .directory)
  var folder: String

  var databaseDescription: String? { database.described }

  func execute() async throws {
    let folder = folder
    try await arguments.run(database) { options, store, connection in
      try await FHIRImport(folder, options).run(store.rollups, on: connection)
    }
  }
}
