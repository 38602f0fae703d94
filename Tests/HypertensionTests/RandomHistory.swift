import Foundation
import Hypertension
import Postgres
import RollupStore
import TestSupport

/// Random operations of every kind on few patients, so that they get in each other's way.
struct RandomHistory {
  let store: Store
  var random: Seeded
  private let patients: [UUID]
  private let facilities: [UUID]
  private let rows: [UUID]

  init(_ store: Store, seed: UInt64, patients: Int = 5, rows: Int = 12) {
    self.store = store
    random = Seeded(seed)
    func ids(_ kind: UInt8, _ count: Int) -> [UUID] {
      (0..<count).map {
        UUID(uuid: (kind, 0, 0, 0, 0, 0, 0x40, 0, 0x80, 0, 0, 0, 0, 0, 0, UInt8($0)))
      }
    }
    self.patients = ids(1, patients)
    self.facilities = ids(2, 3)
    self.rows = ids(3, rows)
  }

  /// One random operation. What a refused one (not found, already there) leaves must be right too.
  /// - Returns: which it was, by its number below.
  @discardableResult
  mutating func step() async throws -> Int {
    let number = Int.random(in: 0..<100, using: &random)
    do {
      try await operate(number)
    } catch is WriteError {}
    return number
  }

  private mutating func operate(_ number: Int) async throws {
    let (patient, other, row) = (pick(patients), pick(patients), pick(rows))
    switch number {
    case 0..<20: try await store.record(reading())
    case 20..<24: try await store.record(sugar())
    case 24..<32: try await store.record(visit())
    case 32..<38: _ = try await store.update(reading())
    case 38..<42: try await store.record((0..<5).map { _ in reading() })
    case 42: try await store.record((0..<5).map { _ in visit() })
    case 43: try await store.record((0..<5).map { _ in sugar() })
    case 44..<52: try await store.delete(Reading.self, row, of: patient)
    case 52..<54: try await store.delete(Visit.self, row, of: patient)
    case 54: try await store.delete(BloodSugar.self, row, of: patient)
    case 55..<60: try await store.restore(Reading.self, row, of: patient)
    case 60..<64: try await store.destroy(Reading.self, row, of: patient)
    case 64..<66: try await store.destroy(Visit.self, row, of: patient)
    case 66..<70 where patient != other:
      do {
        try await store.reassign(Reading.self, row, from: patient, to: other)
      } catch let error as PostgresError where error.sqlState == .uniqueViolation {
        // The other patient has a reading with this id.
      }
    case 70..<75: try await store.insert(person())
    case 75..<78: try await store.record(person())
    case 78..<80: try await store.record([person(), person()])
    case 80..<85: try await store.transfer(patient, to: pick(facilities))
    case 85..<87:
      try await store.recordDeath(of: patient, at: Bool.random(using: &random) ? instant() : nil)
    case 87..<89: try await store.delete(patient: patient)
    case 89..<92: try await store.restore(patient: patient)
    case 92..<94: try await store.destroy(patient: patient)
    case 94..<96 where patient != other: try await store.merge(patient, into: other)
    default:
      let readings = [reading(), reading()]
      try await store.transaction { tx in
        for reading in readings { try await store.record(reading, in: tx) }
      }
    }
  }

  private mutating func pick<T>(_ values: [T]) -> T {
    values[Int.random(in: 0..<values.count, using: &random)]
  }

  private mutating func reading() -> Reading {
    Reading(
      id: pick(rows), patientID: pick(patients), facilityID: pick(facilities),
      systolic: Int.random(in: 100..<180, using: &random),
      diastolic: Int.random(in: 60..<110, using: &random),
      heartRate: Int.random(in: 0..<3, using: &random) == 0
        ? nil : Int.random(in: 50..<110, using: &random),
      recordedAt: instant(),
      deletedAt: Int.random(in: 0..<12, using: &random) == 0 ? Date(timeIntervalSince1970: 1) : nil)
  }

  private mutating func sugar() -> BloodSugar {
    BloodSugar(
      id: pick(rows), patientID: pick(patients), facilityID: pick(facilities),
      value: Double(Int.random(in: 40..<160, using: &random)) / 8,
      kind: pick(BloodSugar.Kind.allCases), recordedAt: instant())
  }

  private mutating func visit() -> Visit {
    Visit(
      id: pick(rows), patientID: pick(patients), facilityID: pick(facilities), visitedAt: instant())
  }

  private mutating func person() -> Patient {
    Patient(
      id: pick(patients), registeredAt: instant(), registrationFacilityID: pick(facilities),
      assignedFacilityID: pick(facilities), hypertensive: Int.random(in: 0..<5, using: &random) > 0)
  }

  /// Few distinct instants, so that ties happen; around the ends of months in the reporting time zone; also none, the year
  /// 16, 2062 and infinity.
  private mutating func instant() -> Date? {
    switch Int.random(in: 0..<40, using: &random) {
    case 0: return nil
    case 1: return Date(timeIntervalSince1970: -61_660_000_000)
    case 2: return Date(timeIntervalSince1970: 2_910_000_000)
    case 3: return .distantFuture
    default:
      // 2024-03-31 18:30 UTC is the first instant of April, and of the second quarter, in Kolkata.
      let boundary = 1_711_909_800.0
      let offsets: [Double] = [
        -86_400 * 40, -3600, -0.000_001, 0, 0.000_001, 3600, 86_400 * 20, 86_400 * 35,
      ]
      return Date(timeIntervalSince1970: boundary + pick(offsets))
    }
  }
}
