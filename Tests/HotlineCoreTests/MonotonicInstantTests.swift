import Testing

@testable import HotlineCore

@Suite struct MonotonicInstantTests {
  @Test func instantsAdvanceAndCompare() {
    #expect(t(1).advanced(by: .milliseconds(2)) == t(3))
    #expect(t(3).advanced(by: .milliseconds(-5)) == t(-2))
    #expect(t(1) < t(2))
    #expect(t(1).duration(to: t(4)) == .milliseconds(3))
    #expect(t(4).duration(to: t(1)) == .milliseconds(-3))
  }

  @Test func aVeryLongTimeStaysInTheFuture() {
    let never = t(5).advanced(by: .seconds(Int64.max))
    #expect(never == MonotonicInstant(nanoseconds: .max))
    #expect(t(-5).advanced(by: .seconds(Int64.min)) == MonotonicInstant(nanoseconds: .min))
    #expect(never.advanced(by: .seconds(1)) == never)
  }

  @Test(arguments: [
    (0, "0 s"), (1, "0.001 s"), (50, "0.05 s"), (500, "0.5 s"), (1_000, "1 s"),
    (1_250, "1.25 s"), (120_000, "120 s"),
  ])
  func durationsAreWrittenAsSeconds(milliseconds: Int, words: String) {
    #expect(Duration.milliseconds(milliseconds).inWords == words)
  }
}
