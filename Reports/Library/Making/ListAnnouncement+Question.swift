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
    let names = [region.state, region.district, region.block, region.facility]
    let setting = try await ReportSetting.read(today: today, tx)
    if recalls {
      return .recall(in: Period(.month, containing: setting.today), region: names)
    }
    guard patients?.isOfRegistration != true else {
      throw Refusal("patients are listed by the facility that they are assigned to")
    }
    let frame = try ReportFrame(period, view, setting)
    guard let edition = frame.published else {
      return .patients(frame.evaluation, region: names)
    }
    return .patients(edition, region: names)
  }
}
