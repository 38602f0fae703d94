import Postgres
import Testing

@Suite struct RetryPolicyTests {
  @Test func delaysGrowToTheirMaximumAndAreSpreadFromZero() {
    let policy = RetryPolicy(
      attempts: 10, baseDelay: .milliseconds(10), maximumDelay: .milliseconds(100))
    let bounds = (1...6).map { policy.delay(afterAttempt: $0, random: 1) }
    #expect(bounds == [10, 20, 40, 80, 100, 100].map { .milliseconds($0) })
    #expect(policy.delay(afterAttempt: 3, random: 0) == .zero)
    #expect(policy.delay(afterAttempt: 3, random: 0.5) == .milliseconds(20))
    #expect(policy.delay(afterAttempt: .max, random: 1) == .milliseconds(100))
  }

  @Test func onlyWhatTheServerAbortedForOthersIsBegunAgainAndNotForEver() {
    let serialization = PostgresError(.server, "", sqlState: .serializationFailure)
    let unique = PostgresError(.server, "", sqlState: .uniqueViolation)
    let lost = PostgresError(.connectionLost, "", sqlState: .adminShutdown)
    let unknown = PostgresError(.commitUnknown, "")
    #expect(RetryPolicy.standard.retries(serialization, afterAttempt: 5))
    #expect(!RetryPolicy.standard.retries(serialization, afterAttempt: 20))
    #expect(!RetryPolicy.standard.retries(unique, afterAttempt: 1))
    #expect(!RetryPolicy.standard.retries(lost, afterAttempt: 1))
    #expect(RetryPolicy.readOnly.retries(lost, afterAttempt: 1))
    #expect(!RetryPolicy.readOnly.retries(unknown, afterAttempt: 1))
    #expect(!RetryPolicy.none.retries(serialization, afterAttempt: 1))
  }
}
