import Testing

@testable import HotlineWire

struct HTTPDateTests {
  @Test(
    arguments: [
      ("Thu, 01 Jan 1970 00:00:00 GMT", 0), ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),
      ("Tue, 29 Feb 2000 23:59:59 GMT", 951_868_799),
      ("Fri, 01 Mar 2024 00:00:00 GMT", 1_709_251_200),
      ("Sun, 06 Nov 1994 08:49:37 UTC", nil), ("Sunday, 06-Nov-94 08:49:37 GMT", nil),
      ("Sun Nov  6 08:49:37 1994", nil), ("Sun, 06 Foo 1994 08:49:37 GMT", nil),
      ("Sun, 32 Nov 1994 08:49:37 GMT", nil), ("Sun, 06 Nov 1994 24:49:37 GMT", nil),
      ("Sun, 6  Nov 1994 08:49:37 GMT", nil), ("", nil),
    ] as [(String, Int?)])
  func onlyTheFixedFormIsRead(_ text: String, _ seconds: Int?) {
    #expect(secondsOfHTTPDate(Array(text.utf8)) == seconds)
  }
}
