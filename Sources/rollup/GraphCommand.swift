import ArgumentParser
import Commands
import Hypertension
import PeriodRollups
import RollupStore

/// `rollup graph`: what is derived from what.
struct GraphCommand: Command {
  static let configuration = CommandConfiguration(
    commandName: "graph", abstract: "Print what is derived from what, as text or as a picture.",
    discussion: """
      For example: rollup graph --format svg > graph.svg. With --figures it asks the database how many rows there are and \
      what the last run took.
      """)

  enum Format: String, ExpressibleByArgument, CaseIterable {
    case text, dot, svg
  }

  @OptionGroup var database: DatabaseOptions
  @OptionGroup var notes: NoteOptions

  @Option(help: "text, dot (for Graphviz) or svg.")
  var format = Format.text

  @Flag(help: "With what the database says of each.")
  var figures = false

  var databaseDescription: String? { figures ? database.described : nil }

  func execute() async throws {
    let graph = try Rollups.graph()
    let drawing = GraphDrawing(graph, notes: figures ? try await notes(graph) : [:])
    switch format {
    case .text: Terminal.print(drawing.text)
    case .dot: Terminal.print(drawing.dot)
    case .svg: Terminal.print(drawing.svg)
    }
  }

  private func notes(_ graph: Graph) async throws -> [String: String] {
    let pool = try await database.pool(size: 1)
    let store = try await RollupStore(pool, Rollups.catalog)
    let history = try await Projector(pool, graph, timeZone: store.timeZone, rollups: store)
      .history()
    await pool.close()
    return history.mapValues(\.description)
  }
}
