import Hypertension
import PeriodRollups
import Postgres

extension ReportQuestion {
  /// What has to be announced before the question's list of patients is read (``ServedReading``).
  /// - Parameter recalls: whether it is asked of ``RecallReport``.
  /// - Throws: as ``Report/make(_:_:)``; ``Refusal`` where only all patients of the programme could be listed.
  public func announcement(recalls: Bool, in tx: borrowing Transaction) async throws
    -> ListAnnouncement
  {
    let setting = try await ReportSetting.read(today: today, tx)
    if recalls {
      let places = try await Places.live(region, tx)
      return .recall(
        in: Period(.month, containing: setting.today), region: try names(among: places))
    }
    guard patients?.isOfRegistration != true else {
      throw Refusal("patients are listed by the facility that they are assigned to")
    }
    let frame = try ReportFrame(period, view, setting)
    guard let edition = frame.published else {
      return .patients(
        frame.evaluation, region: try names(among: try await Places.live(region, tx)))
    }
    let places = try await Places.published(edition, region, tx).map(\.place)
    return .patients(edition, region: try names(among: places))
  }

  /// State, district, block and facility as the places spell them: the record says whose patients are read, not how a reader wrote it,
  /// and the database compares byte by byte.
  private func names(among places: [Place]) throws -> [String?] {
    let region = try region.spelled(by: places)
    return [region.state, region.district, region.block, region.facility]
  }
}
