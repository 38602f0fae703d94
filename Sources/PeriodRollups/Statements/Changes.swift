/// Notes of which places' rollup rows a write may have changed, in the write's own transaction: who keeps what was counted
/// of them asks which he has to count again (docs/decisions/034-changes-are-noted.md).
///
/// A place is what rollups and registers are selected by, such as a patient's facility, as text; empty for none. A note too
/// many costs a count, one too few would leave a figure as it was, so a change of subjects notes their places before and
/// after. Nothing is updated, so no two writers meet; and each note has a subject, by which it can be sharded with its rows.
public struct Changes: Sendable {
  public static let table: TableName = "rollup.changes"
  /// Where it is noted that anything may have changed.
  public static let ofEverything: TableName = "rollup.changes_of_everything"

  let catalog: Catalog

  public init(_ catalog: Catalog) { self.catalog = catalog }

  public var create: [Statement] { shape.create }

  var shape: TableShape {
    let number = Column("noted_in", .xid8)
    return TableShape(
      "make the notes of changes", Self.table,
      columns: [
        ShapedColumn(Column("subject_id", catalog.subject.id.type), required: true),
        ShapedColumn(Column("place", .text), required: true),
        ShapedColumn(number, required: true, " DEFAULT pg_current_xact_id()"),
      ],
      indexes: [IndexShape("index them by transaction", "changes_by_transaction", on: [number])])
  }

  /// What lets a role note changes, and not say in which transaction: a note of one that has not been yet would stay the latest
  /// for ever. (Whoever may write any column may insert a row of defaults.)
  func grants(to role: RollupRole) -> [Grant] {
    [Grant(.insert, columns: ["reason"], on: [Self.ofEverything], to: role)]
      + (places.isEmpty
        ? [] : [Grant(.insert, columns: ["subject_id", "place"], on: [Self.table], to: role)])
  }

  /// Notes that anything may have changed: a backfill, a closing.
  public static let noteEverything = Statement(
    "note that anything may have changed", "INSERT INTO \(ofEverything) DEFAULT VALUES")

  /// The places of which events of a source change rows; none where nothing is selected by a place.
  func places(fedBy source: Source) -> [Column] {
    distinct(catalog.fed(by: source).compactMap(\.0.selectedBy))
  }

  /// The places of all rows that are kept of a subject.
  var places: [Column] {
    distinct(catalog.mostRecent.compactMap(\.selectedBy) + catalog.registers.flatMap(\.selectedBy))
  }

  private func distinct(_ columns: [Column]) -> [Column] {
    columns.enumerated().filter { columns.firstIndex(of: $1) == $0 }.map(\.element)
  }

  /// Notes places of the one subject of a relation.
  func note(_ places: [Column], of relation: SQL) -> SQL {
    """
    INSERT INTO \(Self.table) (subject_id, place)
    SELECT \(catalog.subject.id.of("k")), p.place
    FROM \(relation)
    CROSS JOIN LATERAL \(texts(places)) AS p (place)
    """
  }

  /// Notes places of a lens's subjects, each once.
  func note(_ places: [Column], _ lens: Lens) -> Statement {
    let subject = catalog.subject
    return Statement(
      "note where figures may change",
      """
      INSERT INTO \(Self.table) (subject_id, place)
      SELECT DISTINCT ON (p.place) \(subject.id.of("k")), p.place
      FROM \(subject.table) AS k
      CROSS JOIN LATERAL \(texts(places)) AS p (place)
      WHERE \(lens.condition(on: subject.id.of("k"), subject.id.type))
      ORDER BY p.place
      """)
  }

  private func texts(_ places: [Column]) -> SQL {
    "(VALUES \(.joined(places.map { "(coalesce(\($0.of("k"))::text, ''))" })))"
  }
}

extension SourceWrites {
  /// Notes where rollup rows of a lens's subjects may have changed by events of the source.
  public func note(_ lens: Lens) -> [Statement] {
    let changes = Changes(catalog)
    let places = changes.places(fedBy: source)
    return places.isEmpty ? [] : [changes.note(places, lens)]
  }
}

extension SubjectWrites {
  /// Notes the places of subjects: before they change, and after.
  public func note(_ lens: Lens) -> [Statement] {
    let changes = Changes(catalog)
    return changes.places.isEmpty ? [] : [changes.note(changes.places, lens)]
  }
}
