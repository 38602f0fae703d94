import Foundation

/// What a LOINC code of an Observation says of a blood sugar; docs/import.md says why.
enum SugarCode: String, CaseIterable {
  // In this order: of two codes of one resource the one that says more counts.
  case hba1c = "4548-4"
  case fastingInPlasma = "1558-6"
  case twoHoursAfterMealInPlasma = "1521-4"
  case inPlasma = "2345-7"
  case inBlood = "2339-0"
  case molesInPlasma = "14749-6"
  case molesInBlood = "15074-8"

  /// The first of them that a resource has; nil when it has none, and is no blood sugar.
  init?(_ concept: FHIR.CodeableConcept?, of system: String) {
    let code = Self.allCases.first { concept?.has([$0.rawValue], of: system) == true }
    guard let code else { return nil }
    self = code
  }

  /// As `blood_sugars.type` has it. A code that does not say when the patient ate is of a random one.
  var type: String {
    switch self {
    case .hba1c: "hba1c"
    case .fastingInPlasma: "fasting"
    case .twoHoursAfterMealInPlasma: "post_prandial"
    case .inPlasma, .inBlood, .molesInPlasma, .molesInBlood: "random"
    }
  }

  /// In mg/dL, of HbA1c in per cent.
  ///
  /// The unit decides and not the code, which LOINC gives for mass or for moles: files have one with the other. No unit
  /// is no measurement here: 7 is a fasting sugar in one of them and a death in the other.
  /// - Throws: ``Reject``.
  func value(of resource: FHIR.Observation) throws -> String {
    guard let quantity = try resource.valueQuantity?.value.get(), let value = quantity.value else {
      throw Reject("blood sugar: there is no valueQuantity with a value")
    }
    guard quantity.comparator == nil else {
      throw Reject("blood sugar: a value with a comparator is no measurement")
    }
    let units = self == .hba1c ? ["%"] : ["mg/dl", "mmol/l"]
    guard let unit = quantity.unitSaid, units.contains(unit) else {
      throw Reject(
        self == .hba1c
          ? "blood sugar: the unit of HbA1c is not %"
          : "blood sugar: the unit is not mg/dL or mmol/L")
    }
    guard let measured = Measure.bloodSugar.canonical(value),
      let text = unit == "mmol/l" ? Measure.bloodSugar.canonical(Self.milligrams(value)) : measured
    else { throw Reject("blood sugar: \(Measure.bloodSugar.expected)") }
    return text
  }

  /// Of so many mmol/L so many mg/dL, whole ones, which are finer than the tenths of a mmol/L that laboratories give. So
  /// 7.0 and 11.1 mmol/L are 126 and 200 mg/dL, as the limits of diabetes are given in both.
  ///
  /// A mole of glucose is 180.156 g (LOINC, group LG7967-5).
  private static func milligrams(_ millimoles: Decimal) -> Decimal {
    var (exact, whole) = (millimoles * Decimal(18_016) / 1_000, Decimal())
    // `.plain` rounds half away from zero.
    NSDecimalRound(&whole, &exact, 0, .plain)
    return whole
  }
}
