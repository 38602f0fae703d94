import PeriodRollups
import Postgres

/// One way in which a projection's table differs from its derivation from nothing. Keys only, never other values.
public struct ProjectionDrift: Sendable, Hashable {
  public let projection: String
  public let kind: Drift.Kind
  /// The key's values, as a JSON array.
  public let key: String
}

extension Projector {
  /// Compares a projection, and all it derives from, with their derivation from nothing: from the tables of the application
  /// and the rollups of the write path, in one snapshot and in temporary tables. Closed periods are left out.
  ///
  /// Beside writers differences are what was not yet materialised.
  public func verify(_ projection: Projection, lens: Projection.Lens) async throws
    -> [ProjectionDrift]
  {
    let plan = try await plan(projection, lens, withInputs: true)
    return try await pool.transaction(.repeatableRead, retrying: .readOnly) { tx in
      try await tx.execute("SET LOCAL jit = off")
      var places: [String: TableName] = [:]
      var drifts: [ProjectionDrift] = []
      for stage in plan.stages {
        for projection in stage.projections where !projection.isKeptAtCommit {
          try await expect(projection, stage, places, in: tx)
          drifts += try await differences(projection, stage, in: tx)
          // What a projection has kept from the past nothing but its own table can tell.
          if projection.keepsNothing {
            places[projection.name] = Materialisation.place(of: projection)
          }
        }
      }
      return drifts
    }
  }

  private func expect(
    _ projection: Projection, _ stage: Plan.Stage, _ places: [String: TableName],
    in tx: borrowing Transaction
  ) async throws {
    let form = LensForm(stage.lens, isChunk: false)
    let materialisation = Materialisation(projection, in: graph, form: form)
    let values = values(stage.lens, units: nil)
    guard case .streamed = projection.kind else {
      try await tx.execute(materialisation.expect(in: places).query(values))
      return
    }
    guard let stream = streams[projection.name] else {
      throw NoStreamDerivation(projection: projection.name)
    }
    try await tx.script(materialisation.expectNothing.text)
    let rows = try await read(
      materialisation.streamed(from: places).query(values), through: stream, in: tx)
    try await tx.execute(
      materialisation.expectGiven.query(values.merging(["rows": Bind(rows)]) { $1 }))
  }

  private func differences(
    _ projection: Projection, _ stage: Plan.Stage, in tx: borrowing Transaction
  ) async throws -> [ProjectionDrift] {
    let compare = Materialisation(
      projection, in: graph, form: LensForm(stage.lens, isChunk: false)
    ).compare
    return try await tx.query(compare.query(values(stage.lens, units: nil))).map { row in
      let (kind, key) = try row.decode((String, String).self)
      return ProjectionDrift(
        projection: projection.name, kind: Drift.Kind(rawValue: kind) ?? .wrongValue, key: key)
    }
  }

  // MARK: Taking away

  /// Takes away a projection's rows in a lens, in chunks as they were derived. What derives from it is as it was until it
  /// is materialised again.
  /// - Throws: ``GraphError/cannotDematerialise(_:)``.
  /// - Returns: how many rows.
  @discardableResult
  public func dematerialise(_ projection: Projection, lens: Projection.Lens) async throws -> Int {
    let plan = try await plan(projection, lens, withInputs: false)
    guard projection.options.dematerialises, !projection.isKeptAtCommit,
      let stage = plan.stages.first
    else { throw GraphError.cannotDematerialise(projection.name) }
    var removed = 0
    for chunk in try await chunks(of: stage) {
      removed += try await pool.transaction(.readCommitted, retrying: .standard) { tx in
        try await takeAway(projection, chunk, in: tx)
      }
    }
    return removed
  }

  private func takeAway(
    _ projection: Projection, _ chunk: ProjectionChunk, in tx: borrowing Transaction
  ) async throws -> Int {
    let removal = try statement(\.dematerialise, of: projection, chunk.form)
      .query(values(chunk.stage.lens, units: chunk.units))
    let results = try await tx.pipeline(try preface(chunk) + [removal])
    return results[results.count - 1].affected
  }
}

extension Projection {
  /// Whether its rows follow from its inputs of now alone.
  fileprivate var keepsNothing: Bool {
    guard options.dematerialises else { return false }
    switch options.onConflict {
    case .replaceAll, .ifNewer: return true
    case .replace, .nothing: return false
    }
  }
}
