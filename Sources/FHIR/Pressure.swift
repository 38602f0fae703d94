import Foundation

/// A measured value and its unit.
struct Quantity: Decodable {
  /// Decimal, as it is written: 119.4999999999999999 is below 119.5, though not as a Double.
  let value: Decimal?
  let system: String?
  let code: String?

  /// By UCUM, which FHIR prescribes for units. A publisher may leave the unit out.
  var isMillimetresOfMercury: Bool {
    guard let code, system == "http://unitsofmeasure.org" else { return true }
    return code == "mm[Hg]"
  }
}

/// A part of an Observation: one of the two pressures.
struct Component: Decodable {
  let code: CodeableConcept?
  let valueQuantity: Quantity?
}

/// One of the two pressures of a reading: its code, and the values that can be true.
struct Pressure: Sendable {
  let name: String
  let codes: CodeSet
  /// Whole mmHg.
  let range: ClosedRange<Int>

  static let systolic = Pressure(name: "systolic", codes: .systolic, range: 20...400)
  static let diastolic = Pressure(name: "diastolic", codes: .diastolic, range: 10...300)

  /// Whole mmHg, rounded half away from zero.
  func value(in components: [Component]) throws(Fault) -> Int {
    guard let component = components.first(where: { $0.code?.has(codes) == true }),
      let quantity = component.valueQuantity, let value = quantity.value
    else { throw Fault("no \(name) value") }
    guard quantity.isMillimetresOfMercury else { throw Fault("\(name) not in mm[Hg]") }
    let whole = Self.rounded(value)
    guard whole >= Decimal(range.lowerBound), whole <= Decimal(range.upperBound) else {
      throw Fault("\(name) outside \(range.lowerBound)-\(range.upperBound)")
    }
    return NSDecimalNumber(decimal: whole).intValue
  }

  private static func rounded(_ value: Decimal) -> Decimal {
    var value = value
    var whole = Decimal()
    // `.plain` rounds half away from zero.
    NSDecimalRound(&whole, &value, 0, .plain)
    return whole
  }
}
