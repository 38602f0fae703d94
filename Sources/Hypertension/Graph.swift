import PeriodRollups

extension Rollups {
  /// What is kept of hypertension patients, as projections: the same declarations that the write path goes by.
  public static func graph() throws(GraphError) -> Graph {
    try Graph(
      catalog.mostRecent.map(Projection.init) + catalog.registers.map(Projection.init)
        + catalog.counts.map(Projection.init))
  }
}
