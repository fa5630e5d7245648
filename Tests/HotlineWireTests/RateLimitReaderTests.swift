import HotlineCore
import Testing

@testable import HotlineWire

@Suite struct RateLimitReaderTests {
  private func read(_ event: String, clock: Int64 = 1_000_000) -> [RateLimit] {
    Array(event.utf8).withUnsafeBytes { RateLimitReader.limits(ofEvent: $0, clock: clock) }
  }

  private func read(_ headers: KeyValuePairs<String, String>) -> [RateLimit] {
    RateLimitReader.limits(ofHeaders: headers.map { (name: $0.key, value: $0.value) })
  }

  @Test func theHeadersOfAnUpgrade() {
    let limits = read([
      "server": "x", "x-ratelimit-limit-requests": "60", "x-ratelimit-remaining-requests": "0",
      "x-ratelimit-reset-requests": "1m0.5s", "x-ratelimit-remaining-tokens": "149984",
      "x-ratelimit-remaining-tokens-usage-based": "7", "x-ratelimit-reset-tokens": "soon",
      "x-ratelimit-remaining": "x", "x-ratelimit-": "1",
    ])
    #expect(
      limits == [
        RateLimit("requests", limit: 60, remaining: 0, resetsAfter: .milliseconds(60_500)),
        RateLimit("tokens", remaining: 149_984),
        RateLimit("tokens-usage-based", remaining: 7),
      ])
    #expect(read(["x-ratelimit-remaining": "3"]) == [RateLimit("requests", remaining: 3)])
  }

  @Test(arguments: [
    ("20ms", 20), ("6m0s", 360_000), ("1h2m3.5s", 3_723_500), ("1d", 86_400_000), ("7", 7000),
    ("0.0004", 1), ("0s", 0),
  ])
  func durations(text: String, milliseconds: Int) {
    #expect(RateLimitReader.duration(text) == .milliseconds(milliseconds))
  }

  @Test(arguments: [
    "", "s", "5x", "1s2", "-1", "nan", "1795416030", "Mon, 23 Nov 2026 06:00:00 GMT",
  ])
  func whatIsNoDuration(text: String) {
    #expect(RateLimitReader.duration(text) == nil)
  }

  @Test func realtimesOwnEvent() {
    #expect(
      read(
        #"{"type":"rate_limits.updated","event_id":"e","rate_limits":[{"name":"requests","limit":"#
          + #"1000,"remaining":0,"reset_seconds":60},{"name":"tokens","remaining":1.5},7,{}]}"#)
        == [
          RateLimit("requests", limit: 1000, remaining: 0, resetsAfter: .seconds(60)),
          RateLimit("tokens"),
        ])
  }

  @Test func codexsOwnEvent() {
    #expect(
      read(
        #"{"type":"codex.rate_limits","plan_type":"plus","rate_limits":{"allowed":true,"primary":"#
          + #"{"used_percent":100,"window_minutes":300,"reset_at":1000090},"secondary":null,"#
          + #""other":{"used_percent":12.5,"resets_in_seconds":5}}}"#) == [
          RateLimit("other", usedPercent: 12.5, resetsAfter: .seconds(5)),
          RateLimit("primary", usedPercent: 100, resetsAfter: .seconds(90)),
        ])
  }

  /// An instant is judged by a clock that may be wrong, a duration is not.
  @Test(arguments: [
    #""reset_at":1000090,"reset_after_seconds":5"#, #""reset_after_seconds":5,"reset_at":1000090"#,
  ])
  func aDurationGoesBeforeAnInstant(members: String) {
    #expect(
      read(#"{"type":"codex.rate_limits","rate_limits":{"primary":{\#(members)}}}"#)
        == [RateLimit("primary", resetsAfter: .seconds(5))])
  }

  @Test(arguments: [
    #"{"type":"error","status":429,"headers":{"Retry-After":2,"X-RateLimit-Limit-Requests":"5"}}"#,
    #"{"type":"error","error":{"code":"c","headers":{"retry-after":"2","#
      + #""x-ratelimit-limit-requests":5,"other":[]}}}"#,
  ])
  func theHeadersOfAnError(event: String) {
    #expect(
      read(event) == [
        RateLimit("requests", limit: 5),
        RateLimit("retry-after", remaining: 0, resetsAfter: .seconds(2)),
      ])
  }

  @Test(arguments: [
    (#""retry-after":"9","retry-after-ms":"1500""#, 1500),
    (#""retry-after-ms":250.5"#, 251), (#""retry-after-ms":"soon","retry-after":"3""#, 3000),
    // By the server's own clock where it tells it, else by the daemon's, which says 1000000.
    (
      #""date":"Sun, 06 Nov 1994 08:49:37 GMT","retry-after":"Sun, 06 Nov 1994 08:50:07 GMT""#,
      30_000
    ),
    (#""retry-after":"Mon, 12 Jan 1970 13:46:50 GMT""#, 10_000),
    (#""retry-after":"Mon, 12 Jan 1970 13:46:30 GMT""#, 0),
  ])
  func whenAServerTakesMore(headers: String, milliseconds: Int) {
    #expect(
      read(#"{"type":"error","status":429,"headers":{\#(headers)}}"#) == [
        RateLimit("retry-after", remaining: 0, resetsAfter: .milliseconds(milliseconds))
      ])
  }

  @Test(arguments: [
    #""retry-after-ms":"-1""#, #""retry-after-ms":1e12"#, #""retry-after":"tomorrow""#,
    #""retry-after":"Fri, 31 Dec 9999 23:59:59 GMT""#, #""date":"Sun, 06 Nov 1994 08:49:37 GMT""#,
  ])
  func whenNobodyKnows(headers: String) {
    #expect(read(#"{"type":"error","headers":{\#(headers)}}"#) == [])
  }

  @Test(arguments: [
    "", "[]", "{", #"{"rate_limits":7}"#, #"{"rate_limits":[{"name":""}]}"#,
    #"{"rate_limits":[{"name":"a b","remaining":0}]}"#, #"{"headers":[1],"error":null}"#,
  ])
  func whatSaysNothing(event: String) {
    #expect(read(event) == [])
  }
}
