import HotlineCore
import HotlineWire
import Testing

@Suite struct ClientMessageNestingTests {
  /// A line with that many objects and arrays within one another, its own included.
  private func line(_ depth: Int, _ opening: String = "[", _ closing: String = "]") -> String {
    #"{"request_id":1,"input":"# + String(repeating: opening, count: depth - 1) + "null"
      + String(repeating: closing, count: depth - 1) + #","type":"response.create"}"#
  }

  @Test(arguments: [8, 63, 64, 65, 256])
  func linesAreTakenUpToTheLimitAndNotBeyond(depthMax: Int) {
    var limits = ClientMessage.Limits()
    limits.depthMax = depthMax
    for (opening, closing) in [("[", "]"), (#"{"a":"#, "}"), (" [ ", "\t]")] {
      #expect(
        ClientMessageSample(line(depthMax, opening, closing), limits: limits).request != nil)
      let deeper = ClientMessageSample(line(depthMax + 1, opening, closing), limits: limits)
      #expect(deeper.refused == "invalid_json null 1")
    }
  }

  @Test func theRefusalNamesTheLimitAndThePlace() {
    #expect(ClientMessage.Limits().depthMax == 64)
    #expect(
      ClientMessageSample(line(65)).refusal?.detail
        == "the line nests objects and arrays more than 64 deep (socket.nesting_max), at byte 87; "
        + "nest less or raise the limit")
  }

  /// Whatever a client may send, a server can send back within an event.
  @Test func anEventMayRepeatTheDeepestRequest() throws {
    let request = line(256)
    let event = #"{"type":"response.completed","response":{"id":"r","request":[\#(request)]}}"#
    let kind = try Array(event.utf8).withUnsafeBytes { try UpstreamEnvelope($0).kind }
    #expect(kind == .terminal(.completed))
  }
}
