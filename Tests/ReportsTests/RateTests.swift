import Hypertension
import Testing

@Suite struct RateTests {
  @Test func everyRateIsRoundedHalfAwayFromZero() {
    for whole in 0...250 {
      for part in 0...whole {
        #expect((Rate(part, of: whole)?.description ?? "") == Oracle.rate(part, of: whole))
      }
    }
  }
}
