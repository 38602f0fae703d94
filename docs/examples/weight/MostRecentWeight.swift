import Foundation
import PeriodRollups
import Postgres
import RollupStore

/// The application's tables, as they are.
let patient = Subject("patient", table: "patients", id: Column("id", .uuid), values: [])
let weights = Source(
  "weight", code: "W", table: "weights", subject: Column("patient_id", .uuid),
  id: Column("id", .uuid), time: Column("weighed_at", .timestamptz),
  values: [Column("kg", .numeric)])

/// The most recent weight of each patient in each month.
let mostRecentWeight = MostRecent(
  "weight", table: "rollup.weight_rollups", per: patient, periods: [.month],
  id: Column("weight_id", .uuid), time: "weighed_at", keeping: [Column("kg", .numeric)],
  from: [.init(weights, [Column("kg", .numeric)])])
public let catalog = Catalog(subject: patient, mostRecent: [mostRecentWeight])

/// Makes the tables, and the rows of the weights that are there already.
public func prepare(_ pool: Pool) async throws -> SourcePath<UUID> {
  _ = try await Migrator(catalog).run(pool, timeZone: "Asia/Kolkata")
  let store = try await RollupStore(pool, catalog)
  try await store.fill(keyedBy: UUID.self)
  return SourcePath(weights, in: store)  // insert, update, delete, restore, reassign
}
