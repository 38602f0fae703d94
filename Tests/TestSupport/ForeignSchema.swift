import PeriodRollups

/// An application that has its own habits: bigint keys, times without a zone in UTC, a boolean for deleted rows and a status
/// for people. Nothing of the default schema is assumed.
public enum ForeignSchema {
  public static let person = Subject(
    "person", table: "clinic.People", id: Column("nr", .bigint),
    values: [Column("status", .text), Column("home", .bigint)],
    exists: .differs(Column("status", .text), from: "removed"), carrying: [Column("home", .bigint)])

  public static let weights = Source(
    "weight", code: "W", table: "clinic.weights", subject: Column("person_nr", .bigint),
    id: Column("nr", .bigint), time: Column("taken", .timestampUTC),
    values: [Column("kg", .numeric), Column("gone", .boolean)],
    exists: .isNotTrue(Column("gone", .boolean)))

  public static let weight = MostRecent(
    "weight", table: "rollup.weight_rollups", per: person, periods: [.month],
    id: Column("weight_nr", .bigint), time: "taken_at", keeping: [Column("kg", .numeric)],
    from: [.init(weights, [Column("kg", .numeric)])])

  public static let catalog = Catalog(subject: person, mostRecent: [weight])
}
