/// Everything that is derived from one declaration, as SQL to read: what `rollup explain` prints.
public struct Explanation: Sendable, CustomStringConvertible {
  let title: String
  let sections: [(heading: String, statements: [Statement])]

  /// - Returns: nil when the catalog has nothing of that name.
  public init?(_ name: String, in catalog: Catalog) {
    if let rollup = catalog.mostRecent.first(where: { $0.name == name }) {
      self.init(rollup, in: catalog)
    } else if let count = catalog.counts.first(where: { $0.name == name }) {
      self.init(count, in: catalog)
    } else if let register = catalog.registers.first(where: { $0.name == name }) {
      self.init(register)
    } else {
      return nil
    }
  }

  private init(_ rollup: MostRecent, in catalog: Catalog) {
    let locks = Locks(rollup.subject)
    let chunk = Lens.chunk(bounded: [.below, .above])
    let loading = Loading(rollup, run: 1)
    var sections: [(String, [Statement])] = [
      ("the tables", rollup.create),
      ("a partition, for 2024-06", rollup.createPartition(of: Self.example)),
      (
        "what closed periods could not take",
        rollup.createLate + rollup.makeGuard + Ledger(catalog).create + Diversions(catalog).create
      ),
      ("closing 2024-06", [rollup.lock(Self.example)] + rollup.seal(Self.example)),
      (
        "restating 2024-06, edition 2",
        rollup.part(of: Self.example).record.keep(1, of: Self.example)
          + [rollup.lock(Self.example), rollup.unseal(Self.example)]
          + rollup.takeIn(Self.example) + [rollup.reseal(Self.example)]
      ),
    ]
    for input in rollup.inputs {
      // Only this rollup: the statements of the write path do all that a source feeds.
      let alone = Catalog(subject: rollup.subject, mostRecent: [rollup])
      let (writes, staging) = (
        SourceWrites(input.source, in: alone), Staging(input.source, in: alone)
      )
      let name = input.source.name
      let locking = [locks.absence, locks.subjects(.subjects, for: .noKeyUpdate)]
      let ledger = Ledger(alone)
      let finding =
        [Doing.change.statement] + writes.add(.given)
        + [writes.periods(of: .given), ledger.standing(input.source)]
      let asking =
        writes.note(.subjects)
        + [ledger.closedAmong(.given, input.source), Doing.unannounced.statement]
      func change(_ statement: Statement?) -> [Statement] {
        guard let statement else { return [] }
        return locking + finding + writes.takeAway(.given) + [statement] + writes.add(.given)
          + asking
      }
      sections += [
        ("\(name): insert, one statement", [writes.insert]),
        (
          "\(name): insert ahead of the \(rollup.subject.name)",
          [locks.absence, locks.subjects(.subjects, for: .keyShare), writes.insertAhead]
            + writes.add(.given) + writes.note(.subjects)
        ),
        (
          "\(name): batch",
          [
            staging.create, staging.copy, staging.keepLast,
            locks.absence(in: staging.table, input.source.subject),
            locks.subjects(.staged(staging.table, input.source.subject), for: .noKeyUpdate),
            staging.dropUnchanged, staging.markKnown, staging.insertNew,
          ] + writes.addNew(from: staging)
            + writes.note(.staged(staging.table, input.source.subject))
        ),
        (
          "\(name): edit, and move to another period",
          change(writes.update([input.source.time] + input.source.values))
        ),
        ("\(name): delete", change(writes.delete)),
        ("\(name): restore", change(writes.restore)),
        ("\(name): reassign to another \(rollup.subject.name)", change(writes.reassign)),
        (
          "\(name): remove for good",
          locking + finding + writes.takeAway(.given) + [writes.destroy] + asking
        ),
        (
          "\(name): after any of these, where a period is closed",
          [
            rollup.settle(.subjects),
            ledger.enter(.edit, input.source, before: .given),
          ]
        ),
      ]
    }
    let noting = SubjectWrites(Catalog(subject: rollup.subject, mostRecent: [rollup])).note(
      .subjects)
    sections += [
      (
        "a transfer, an arrival or the restoration of the \(rollup.subject.name), whose places are noted before and after",
        [locks.subjects(.subjects, for: .update)] + noting + [rollup.materialise(.subjects)]
          + noting
      ),
      (
        "the deletion of the \(rollup.subject.name)", noting + [rollup.dematerialise(.subjects)]
      ),
      (
        "backfill: an empty month is loaded, by run 1",
        loading.create(.month, [Self.example]) + [loading.load(chunk, .month)]
          + loading.index(Self.example) + [loading.lock(Self.example)]
          + loading.attach(Self.example)
      ),
      (
        "backfill and verification: whose rows of a chunk are not right",
        [rollup.check(chunk, closed: false)]
      ),
      (
        "backfill of those, or of a chunk",
        [
          locks.subjects(chunk, for: .share), rollup.unfounded(chunk), rollup.dropUnfounded,
          rollup.materialiseSpan(chunk),
        ]
      ),
      ("verification of a chunk", [rollup.verify(chunk)]),
    ]
    self.init(
      title: "\(rollup.name): the most recent per \(rollup.subject.name) and period",
      sections: sections)
  }

  private init(_ count: PeriodCount, in catalog: Catalog) {
    self.init(
      title: "\(count.name): how many per \(count.group.name) and period",
      sections: [
        ("the tables", count.create),
        ("a partition, for 2024-06", count.createPartition(of: Self.example)),
        ("before a change of a \(count.subject.name)", [count.count(.subjects, times: -1)]),
        ("after it, and after an insert", [count.count(.subjects, times: 1)]),
        ("backfill", [count.maintenance, count.mend, count.fold]),
        ("verification", [count.verify]),
      ])
  }

  private init(_ register: Register) {
    let chunk = Lens.chunk(bounded: [.below, .above])
    self.init(
      title: "\(register.name): what reports ask of each \(register.subject.name)",
      sections: [
        ("the table", register.create),
        (
          "after a change of a \(register.subject.name)",
          [register.dropUncounted(.subjects), register.materialise(.subjects)]
        ),
        ("backfill of a chunk", [register.dropUncounted(chunk), register.materialise(chunk)]),
        ("verification of a chunk", [register.verify(chunk)]),
      ])
  }

  private init(title: String, sections: [(String, [Statement])]) {
    self.title = title
    self.sections = sections.map { (heading: $0.0, statements: $0.1) }
  }

  private static let example = Period(
    .month, containing: CalendarDate(uncheckedYear: 2024, month: 6, day: 1))

  public var description: String {
    let parts = sections.map { section in
      "-- == \(section.heading) ==\n\n"
        + section.statements.map(\.description).joined(separator: "\n")
    }
    return "-- \(title)\n\n" + parts.joined(separator: "\n")
  }
}
