import ArgumentParser
import Commands
import Hypertension
import PeriodRollups
import RollupStore

/// `rollup graph`: what is derived from what.
struct GraphCommand: Command {
  static let configuration = CommandConfiguration(
    commandName: "graph", abstract: "Print what is derived from what, as text or as a picture.",
    discussion: "For example: rollup graph --format svg > graph.svg")

  enum Format: String, ExpressibleByArgument, CaseIterable {
    case text, dot, svg
  }

  @Option(help: "text, dot (for Graphviz) or svg.")
  var format = Format.text

  func execute() async throws {
    let drawing = GraphDrawing(try Rollups.graph())
    switch format {
    case .text: Terminal.print(drawing.text)
    case .dot: Terminal.print(drawing.dot)
    case .svg: Terminal.print(drawing.svg)
    }
  }
}
