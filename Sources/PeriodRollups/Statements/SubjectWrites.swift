/// The statements of the write path for the subjects themselves: registration, transfer, death, deletion, merge.
///
/// Each holds the subject `FOR UPDATE`, which waits for the inserts of its readings that are in flight (they hold
/// `KEY SHARE`) and keeps others out, so the later statements see all there is.
public struct SubjectWrites: Sendable {
  public let catalog: Catalog

  public init(_ catalog: Catalog) { self.catalog = catalog }

  private var subject: Subject { catalog.subject }

  /// Stores a subject. Returns a row if it was not there.
  public var insert: Statement {
    Statement(
      "insert a \(subject.name)",
      """
      INSERT INTO \(subject.table) (\(names(subject.columns)))
      VALUES (\(.joined(subject.columns.map { "\(SourceWrites.parameter($0))" })))
      ON CONFLICT (\(subject.id)) DO NOTHING
      RETURNING 1
      """)
  }

  /// Sets columns of the subjects given. Returns a row for each there was.
  public func update(_ columns: [Column]) -> Statement {
    let assignments: [SQL] =
      columns.map { "\($0) = \(SourceWrites.parameter($0))" }
      + (subject.updatedAt.map { ["\($0) = now()"] } ?? [])
    return Statement(
      "change the \(subject.name)",
      """
      UPDATE \(subject.table) AS k
      SET \(.joined(assignments))
      WHERE \(Lens.subjects.condition(on: subject.id.of("k"), subject.id.type))
      RETURNING 1
      """)
  }

  /// Whether a subject differs from values: one row with a boolean, or none when it is not there.
  public func differs(_ columns: [Column]) -> Statement {
    Statement(
      "see whether the \(subject.name) differs",
      """
      SELECT (\(of("k", columns))) IS DISTINCT FROM (\(.joined(columns.map { "\(SourceWrites.parameter($0))" })))
      FROM \(subject.table) AS k
      WHERE \(Lens.subjects.condition(on: subject.id.of("k"), subject.id.type))
      """)
  }

  /// Whether a subject exists: one row with a boolean, or none when it is not there.
  public var exists: Statement {
    Statement(
      "see whether the \(subject.name) exists",
      """
      SELECT \(subject.exists.sql(of: "k"))
      FROM \(subject.table) AS k
      WHERE \(Lens.subjects.condition(on: subject.id.of("k"), subject.id.type))
      """)
  }

  /// Makes the late rows of closed periods right after a change; see ``MostRecent/settle(_:)``.
  public func settle(_ lens: Lens) -> [Statement] { catalog.mostRecent.map { $0.settle(lens) } }

  /// Marks subjects deleted by their convention; nil where there is none.
  public var delete: Statement? {
    subject.exists.ending.map {
      mark("delete the \(subject.name)", $0, where: subject.exists.sql(of: "k"))
    }
  }

  /// Takes the mark away.
  public var restore: Statement? {
    subject.exists.beginning.map {
      mark("restore the \(subject.name)", $0, where: "NOT (\(subject.exists.sql(of: "k")))")
    }
  }

  private func mark(_ name: String, _ assignment: SQL, where condition: SQL) -> Statement {
    let touched: SQL = subject.updatedAt.map { ", \($0) = now()" } ?? ""
    return Statement(
      name,
      """
      UPDATE \(subject.table) AS k
      SET \(assignment)\(touched)
      WHERE \(Lens.subjects.condition(on: subject.id.of("k"), subject.id.type)) AND \(condition)
      RETURNING 1
      """)
  }

  /// The keys that cut the subjects into chunks of a size, in order; the first chunk has no lower end.
  public var chunkBounds: Statement {
    Statement(
      "cut the \(subject.name) rows into chunks",
      """
      SELECT k.id
      FROM (
        SELECT \(subject.id.of("k")) AS id, row_number() OVER (ORDER BY \(subject.id.of("k"))) - 1 AS place
        FROM \(subject.table) AS k
      ) AS k
      WHERE k.place > 0 AND k.place % \(Parameter.chunkSize) = 0
      ORDER BY 1
      """)
  }

  /// Removes subjects for good; ``destroyRows`` first.
  public var destroy: Statement {
    Statement(
      "remove the \(subject.name) for good",
      """
      DELETE FROM \(subject.table) AS k
      WHERE \(Lens.subjects.condition(on: subject.id.of("k"), subject.id.type))
      RETURNING 1
      """)
  }

  /// Removes all source rows of subjects for good.
  public var destroyRows: [Statement] {
    catalog.sources.map { source in
      Statement(
        "remove its \(source.name) rows for good",
        """
        DELETE FROM \(source.table) AS s
        WHERE \(Lens.subjects.condition(on: source.subject.of("s"), subject.id.type))
        """)
    }
  }

  /// Gives all source rows of one subject to another, and returns their ids. A row whose id the other has already
  /// stays behind.
  public var giveRows: [Statement] {
    let (from, to) = (
      Parameter("from_subject", subject.id.type), Parameter("to_subject", subject.id.type)
    )
    return catalog.sources.map { source in
      let touched: SQL = source.updatedAt.map { ", \($0) = now()" } ?? ""
      return Statement(
        "give its \(source.name) rows to the other",
        """
        UPDATE \(source.table) AS s
        SET \(source.subject) = \(to)\(touched)
        WHERE \(source.subject.of("s")) = \(from) AND NOT EXISTS (
          SELECT FROM \(source.table) AS o
          WHERE \(source.subject.of("o")) = \(to) AND \(source.id.of("o")) = \(source.id.of("s"))
        )
        RETURNING \(source.id.of("s"))
        """)
    }
  }

  /// What follows a change of subjects, besides counts: rollup rows and registers as the sources have them now.
  public func rederive(_ lens: Lens) -> [Statement] {
    catalog.mostRecent.map { $0.materialise(lens) } + reregister(lens)
  }

  /// The registers of subjects, as they are now.
  public func reregister(_ lens: Lens) -> [Statement] {
    catalog.registers.flatMap { [$0.dropUncounted(lens), $0.materialise(lens)] }
  }

  /// Removes the rollup rows of those of the lens's subjects that no longer exist.
  public func dematerialise(_ lens: Lens) -> [Statement] {
    catalog.mostRecent.map { $0.dematerialise(lens) }
  }

  /// Counts subjects out (before a change, `times` -1) or in (after it, 1), where a change of the columns matters.
  public func count(_ lens: Lens, times: Int, changing columns: [Column]) -> [Statement] {
    catalog.counts.filter { $0.dependsOn(columns) }.map { $0.count(lens, times: times) }
  }
}
