/// How an import is done, whatever it reads.
public struct ImportOptions: Sendable {
  /// Leave the rollups to a backfill.
  public var sourcesOnly: Bool
  /// The file of rejects; made only when there are any.
  public var rejects: String
  /// Called with what is being done, how much of it is, and how much there is.
  public var progress: @Sendable (String, Int, Int) -> Void

  /// Unless told otherwise the rollups are written too, and nobody is told how far it is.
  public init(
    sourcesOnly: Bool = false, rejects: String = "rejects.csv",
    progress: @escaping @Sendable (String, Int, Int) -> Void = { _, _, _ in }
  ) {
    self.sourcesOnly = sourcesOnly
    self.rejects = rejects
    self.progress = progress
  }
}
