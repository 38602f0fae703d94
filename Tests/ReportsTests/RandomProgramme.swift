import Foundation
import TestSupport

/// Small programmes that are all edges: instants at the ends of months, ties, unknown and deleted
/// facilities, readings of nobody, months out of range.
struct RandomProgramme {
  static let zones = [
    "Asia/Kolkata", "America/St_Johns", "Pacific/Apia", "UTC", "Asia/Kathmandu",
    "America/Sao_Paulo",
  ]

  private var random: Seeded
  private let clock: ReportingClock
  private var programme: Programme
  private var places: [UUID?] = []

  static func make(seed: UInt64) -> Programme {
    var maker = RandomProgramme(seed: seed, zone: zones[Int(seed % UInt64(zones.count))])
    maker.fill()
    return maker.programme
  }

  private init(seed: UInt64, zone: String) {
    random = Seeded(seed)
    clock = ReportingClock(zone)
    programme = Programme(timeZone: zone)
  }

  private mutating func fill() {
    for _ in 0..<number(1, 12) { addFacility() }
    // One that nobody has told us of, and none.
    places = programme.facilities.map(\.id) + [id(), nil]
    for _ in 0..<number(0, 90) { addPatient() }
    for _ in 0..<4 { addEvents(of: id(), around: nil) }
  }

  private mutating func addFacility() {
    let state = pick(["Punjab", "Kerala", "Ägypten"])
    programme.facilities.append(
      .init(
        id: id(), name: pick(["CHC", "PHC, Main", "=SUM(A1)", "प्राथमिक", "phc", "SDH \"B\""]),
        state: state,
        district: pick(["Bathinda", "Mansa", "bathinda-2"]),
        block: pick([nil, nil, "North", "East"]),
        isDeleted: chance(8)))
  }

  private mutating func addPatient() {
    let registered = chance(20) ? nil : instant()
    let registration = pick(places)
    let patient = Programme.Patient(
      id: id(), registeredAt: registered, registrationFacility: registration,
      assignedFacility: chance(5) ? pick(places) : registration, isHypertensive: !chance(8),
      diedAt: chance(7) ? instant() : nil, isDeleted: chance(15))
    programme.patients.append(patient)
    addEvents(of: patient.id, around: registered)
  }

  private mutating func addEvents(of patient: UUID, around registered: Micros?) {
    for _ in 0..<number(0, 9) {
      // Near the registration half of the time; a tie with the one before now and then.
      var at = chance(2) ? near(registered) : instant()
      if chance(5), let last = programme.readings.last, last.patient == patient,
        let tie = last.recordedAt
      {
        at = tie
      }
      programme.readings.append(
        .init(
          id: id(), patient: patient, systolic: pick([120, 129, 130, 131, 139, 140, 141, 180]),
          diastolic: pick([70, 79, 80, 81, 89, 90, 91, 110]), recordedAt: chance(30) ? nil : at,
          isDeleted: chance(10)))
    }
    for _ in 0..<number(0, 4) {
      programme.visits.append(
        .init(
          id: id(), patient: patient,
          visitedAt: chance(30) ? nil : chance(2) ? near(registered) : instant(),
          isDeleted: chance(10)))
    }
  }

  // MARK: Draws

  /// Mostly June 2022 to March 2025, at the ends of months or within them; rarely in the year 16 or
  /// in 2062.
  private mutating func instant() -> Micros {
    switch number(0, 40) {
    case 0: return -61_660_000_000_000_000
    case 1: return 2_910_000_000_000_000
    default: return within(month: number(2022 * 12 + 5, 2025 * 12 + 2))
    }
  }

  private mutating func near(_ instant: Micros?) -> Micros {
    guard let instant, clock.month(instant) > 2000 * 12 else { return self.instant() }
    return within(month: clock.month(instant) + number(-1, 6))
  }

  private mutating func within(month: Int) -> Micros {
    let start = clock.start(ofMonth: month)
    return start + pick([-1, 0, 1, 3_600_000_000, 86_400_000_000 * Micros(number(1, 27))])
  }

  private mutating func id() -> UUID {
    let (a, b) = (random.next(), random.next())
    func byte(_ n: UInt64, _ place: UInt64) -> UInt8 { UInt8(truncatingIfNeeded: n >> (place * 8)) }
    return UUID(
      uuid: (
        byte(a, 0), byte(a, 1), byte(a, 2), byte(a, 3), byte(a, 4), byte(a, 5), byte(a, 6),
        byte(a, 7),
        byte(b, 0), byte(b, 1), byte(b, 2), byte(b, 3), byte(b, 4), byte(b, 5), byte(b, 6),
        byte(b, 7)
      ))
  }

  private mutating func pick<T>(_ values: [T]) -> T { values[number(0, values.count - 1)] }
  private mutating func number(_ low: Int, _ high: Int) -> Int {
    Int.random(in: low...high, using: &random)
  }
  private mutating func chance(_ one: Int) -> Bool { number(1, one) == 1 }
}
