import Synchronization

/// How often each may ask: a bucket each, which fills at a steady rate and lets a burst through.
///
/// It knows no clock: whoever asks says what time it is.
struct RateLimit: Sendable {
  /// A minute; 0 for no limit.
  let perMinute: Int
  /// How many at once.
  let burst: Int
  /// Those who have asked lately.
  private var buckets: [String: Bucket] = [:]

  private struct Bucket {
    var left: Double
    var at: Duration
  }

  init(perMinute: Int, burst: Int) {
    self.perMinute = perMinute
    self.burst = max(burst, 1)
  }

  /// - Returns: nil where one may ask, else after how many seconds one may.
  mutating func take(_ key: String, now: Duration) -> Int? {
    guard perMinute > 0 else { return nil }
    if buckets.count >= Self.most { forgetFull(now) }
    var bucket = buckets[key] ?? Bucket(left: Double(burst), at: now)
    bucket.left = filled(bucket, now)
    bucket.at = now
    defer { buckets[key] = bucket }
    guard bucket.left < 1 else {
      bucket.left -= 1
      return nil
    }
    return Int(((1 - bucket.left) / perSecond).rounded(.up))
  }

  /// Addresses are remembered up to here; a full bucket is nothing to remember.
  private static let most = 10_000

  private var perSecond: Double { Double(perMinute) / 60 }

  private func filled(_ bucket: Bucket, _ now: Duration) -> Double {
    min(Double(burst), bucket.left + (now - bucket.at) / .seconds(1) * perSecond)
  }

  private mutating func forgetFull(_ now: Duration) {
    buckets = buckets.filter { filled($0.value, now) < Double(burst) }
    // Where all are asking at once, nobody is held to what he asked before.
    if buckets.count >= Self.most { buckets.removeAll() }
  }
}

/// ``RateLimit`` with a clock.
final class Limiter: Sendable {
  private let limit: Mutex<RateLimit>
  private let start = ContinuousClock.now

  init(perMinute: Int, burst: Int) { limit = Mutex(RateLimit(perMinute: perMinute, burst: burst)) }

  func take(_ key: String) -> Int? {
    let now = ContinuousClock.now - start
    return limit.withLock { $0.take(key, now: now) }
  }
}
