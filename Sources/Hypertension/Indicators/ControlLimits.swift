/// Below which blood pressure counts as controlled.
public struct ControlLimits: Sendable, Hashable {
  /// mmHg; controlled is below it.
  public let systolic: Int
  /// mmHg; controlled is below it.
  public let diastolic: Int

  /// INDICATORS.md: systolic < 140 and diastolic < 90.
  public static let standard = ControlLimits(systolic: 140, diastolic: 90)

  public init(systolic: Int, diastolic: Int) {
    self.systolic = systolic
    self.diastolic = diastolic
  }

  /// Reads `130/80`.
  public init?(_ text: String) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false).map { Int($0) }
    guard parts.count == 2, let systolic = parts[0], let diastolic = parts[1],
      (20...400).contains(systolic), (10...300).contains(diastolic)
    else { return nil }
    self.init(systolic: systolic, diastolic: diastolic)
  }
}
