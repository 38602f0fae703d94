import Foundation
import Synchronization

/// SIGINT and SIGTERM, noted instead of dying of them, so that the chunk in hand is finished. A second one kills.
public enum Interruption {
  private static let requested = Atomic(false)

  public static var isRequested: Bool { requested.load(ordering: .relaxed) }

  public static func catchSignals() {
    for number in [SIGINT, SIGTERM] {
      // A handler may do little; storing a flag and restoring the default are on the list (POSIX, signal safety).
      signal(number) { number in
        Interruption.requested.store(true, ordering: .relaxed)
        signal(number, SIG_DFL)
      }
    }
  }
}
