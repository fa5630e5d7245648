import Fuzzing
import HotlineCore
import HotlineWire
import TestSupport
import Testing

@Suite struct LocalLineTests {
  private func text(_ append: (inout [UInt8]) -> Void) -> String {
    var bytes = Array("before\n".utf8)
    append(&bytes)
    let text = String(decoding: bytes, as: UTF8.self)
    #expect(text.hasPrefix("before\n{"))
    #expect(text.hasSuffix("}\n"))
    let line = text.dropFirst("before\n".count).dropLast()
    #expect(verdict(Array(line.utf8)) == nil)
    #expect(!line.contains("\n"))
    LineChecker(.daemon).check(Array(line.utf8))
    return String(line)
  }

  @Test func errorLineHasTheShapeOfTheProtocol() {
    let error = HotlineError(.queueTimeout, "No \"connection\"\nin time; wait.", isRetryable: true)
    let accepted = LocalLine.Failure(
      requestID: Array("\"a1\"".utf8), error: error, isAccepted: true)
    #expect(
      text(accepted.append)
        == #"{"type":"error","request_id":"a1","error":{"type":"hotline_error","#
        + #""code":"queue_timeout","message":"No \"connection\"\nin time; wait.","param":null},"#
        + #""hotline":{"accepted":true,"retryable":true,"sent":"no"}}"#)
  }

  @Test func errorLineSaysWhyTheUpstreamLeft() {
    var error = HotlineError(
      .upstreamAuth, "Refused; mend it.", origin: .upstream, sent: .unknown,
      param: "hotline.upstream")
    error.status = 401
    error.closeCode = 1008
    error.closeReason = "no\u{1}"
    let line = LocalLine.Failure(requestID: nil, error: error, isAccepted: false)
    #expect(
      text(line.append)
        == #"{"type":"error","request_id":null,"error":{"type":"hotline_error","#
        + #""code":"upstream_auth","message":"Refused; mend it.","param":"hotline.upstream"},"#
        + #""hotline":{"accepted":false,"retryable":false,"sent":"unknown","status":401,"#
        + #""close_code":1008,"close_reason":"no\u0001"}}"#)
  }

  @Test func okLineEchoesTheRequestAndSaysWhatCouldNotBeDone() {
    #expect(text(LocalLine.Ok(requestID: nil).append) == #"{"type":"hotline.ok"}"#)
    let line = LocalLine.Ok(
      requestID: Array(#""\u0061""#.utf8), warnings: ["socket.path: \"x\" is kept", "more"])
    #expect(
      text(line.append)
        == #"{"type":"hotline.ok","request_id":"\u0061","#
        + #""warnings":["socket.path: \"x\" is kept","more"]}"#)
  }

  @Test func queuedLineSaysPositionAndReason() {
    let line = LocalLine.Queued(requestID: Array("-5".utf8), position: 3, reason: .rateLimit)
    #expect(
      text(line.append)
        == #"{"type":"hotline.queued","request_id":-5,"position":3,"reason":"rate_limit"}"#)
  }

  @Test func doneLineHasAllMembers() {
    var line = LocalLine.Done(
      requestID: Array("\"a1\"".utf8), outcome: .completed, isResent: true, eventCount: 57)
    line.responseID = "resp_\"1"
    line.upstream = "smartaipi"
    line.connection = ConnectionNumber(7)
    line.isReused = true
    line.usage = Array("{\n\"total\": 12\n}".utf8)
    line.cost = 0.0021
    line.queued = .microseconds(100)
    line.firstEvent = .microseconds(212_400)
    line.firstText = .milliseconds(231)
    line.total = .microseconds(1_840_200)
    #expect(
      text(line.append)
        == #"{"type":"hotline.done","request_id":"a1","outcome":"completed","#
        + #""response_id":"resp_\"1","upstream":"smartaipi","connection":7,"reused":true,"#
        + #""resent":true,"usage":{ "total": 12 },"cost_usd":0.0021,"#
        + #""timing_ms":{"queued":0.1,"first_event":212.4,"first_text":231.0,"total":1840.2},"#
        + #""events":57}"#)
  }

  @Test func doneLineWritesNullForWhatIsUnknown() {
    let line = LocalLine.Done(requestID: Array("1".utf8), outcome: .cancelled)
    #expect(
      text(line.append)
        == #"{"type":"hotline.done","request_id":1,"outcome":"cancelled","response_id":null,"#
        + #""upstream":null,"connection":null,"reused":null,"resent":false,"usage":null,"#
        + #""cost_usd":null,"timing_ms":{"queued":null,"first_event":null,"first_text":null,"#
        + #""total":null},"events":0}"#)
  }

  @Test func rawLineCarriesTextOrBase64() {
    func raw(_ message: [UInt8], isBinary: Bool = false) -> String {
      text { bytes in
        message.withUnsafeBytes {
          LocalLine.Raw.append(
            $0, isBinary: isBinary, requestID: Array("\"a\"".utf8), to: &bytes)
        }
      }
    }
    let start = #"{"type":"hotline.raw","request_id":"a","data":"#
    #expect(raw(Array("{\"a\n€".utf8)) == start + #""{\"a\n€"}"#)
    #expect(raw([]) == start + #"""}"#)
    #expect(raw([0x61, 0xFF]) == start + #""Yf8=","base64":true}"#)
    #expect(raw([0xED, 0xA0, 0x80]) == start + #""7aCA","base64":true}"#)
    #expect(raw(Array("abc".utf8), isBinary: true) == start + #""YWJj","base64":true}"#)
  }

  @Test func pongEchoesTheRequestIDOnlyIfGiven() {
    var pong = LocalLine.Pong(
      requestID: nil, version: "0.1.0", processID: 42, uptime: .milliseconds(61_900))
    #expect(
      text(pong.append)
        == #"{"type":"hotline.pong","protocol":1,"version":"0.1.0","pid":42,"uptime_s":61}"#)
    pong.requestID = Array(#""p\u0031""#.utf8)
    #expect(
      text(pong.append)
        == #"{"type":"hotline.pong","request_id":"p\u0031","protocol":1,"version":"0.1.0","#
        + #""pid":42,"uptime_s":61}"#)
  }
}
