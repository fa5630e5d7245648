import Testing

@testable import hotline

/// `watch` and `tail`, `config` and `cancel`.
@Suite struct FollowTests {
  private static let ended =
    #"{"type":"hotline.ended","request":{"time":"2026-11-23T02:50:00.123Z","client":7,"pid":12,"#
    + #""uid":0,"command":"socat","request_id":"a1","tag":"ni\u001bght","model":"m","#
    + #""outcome":"error","code":"timeout","response_id":null,"upstream":"u","connection":3,"#
    + #""reused":true,"resent":false,"input_tokens":36,"cached_input_tokens":0,"#
    + #""output_tokens":87,"cost_usd":0.0021,"timing_ms":{"queued":0.1,"first_event":2.0,"#
    + #""first_text":231.4,"total":1840.2},"events":57}}"#

  @Test func tailIsALineForEachRequest() {
    let daemon = FakeDaemon { client in
      #expect(
        client.readLine() == #"{"type":"hotline.watch","every_ms":0,"requests":true}"#)
      client.send(Self.ended, #"{"type":"hotline.unheard","of":1}"#)
    }
    let ending = Program("tail", socket: daemon.path).finish()
    #expect(
      ending.output == "02:50:00  error (timeout) in 1840 ms, first text after 231 ms, "
        + "36 + 87 tokens, 0.0021 USD, m, ni ght (pid 12)\n")
    #expect(ending.status == 69)
    #expect(ending.error.contains(" has closed the connection; see its log with "))
  }

  @Test func tailPrintsTheObjectsThemselves() {
    let daemon = FakeDaemon { client in
      _ = client.readLine()
      client.send(Self.ended)
    }
    let ending = Program("tail", "--json", socket: daemon.path).finish()
    #expect(ending.output.hasPrefix(#"{"time":"2026-11-23T02:50:00.123Z","client":7,"#))
    #expect(ending.output.hasSuffix("\"events\":57}\n"))
  }

  @Test func watchPrintsTheLines() {
    let daemon = FakeDaemon { client in
      #expect(
        client.readLine() == #"{"type":"hotline.watch","every_ms":2500,"requests":false}"#)
      client.send(#"{"type":"hotline.status","a":1}"#, #"{"type":"hotline.status","a":2}"#)
    }
    let ending = Program("watch", "--every", "2.5", socket: daemon.path).finish()
    #expect(
      ending.output
        == #"{"type":"hotline.status","a":1}"# + "\n" + #"{"type":"hotline.status","a":2}"# + "\n")
    #expect(Program("watch", "--every", "0.05", socket: daemon.path).finish().status == 2)
  }

  @Test func whoNeedsNoMoreEndsIt() {
    let daemon = FakeDaemon { client in
      _ = client.readLine()
      client.send(#"{"type":"hotline.status"}"#)
      _ = client.readToEnd()
    }
    let program = Program("watch", socket: daemon.path)
    _ = program.readOutput(byteCount: 10)
    program.closeOutput()
    #expect(program.finish().status == 141)
    #expect(daemon.finish())
  }

  @Test func anErrorIsTold() {
    let daemon = FakeDaemon { client in
      _ = client.readLine()
      client.send(Lines.error("not_allowed", accepted: false))
    }
    let ending = Program("watch", socket: daemon.path).finish()
    #expect(ending.status == 77)
    #expect(ending.error.contains("not_allowed"))
  }

  // MARK: Config

  @Test func configIsATable() {
    let line =
      #"{"type":"hotline.config","file":null,"settings":[{"key":"socket.path","value":"/s","#
      + #""origin":"flag"},{"key":"a.headers","value":{"X":"***"},"origin":"file"},"#
      + #"{"key":"a.ca_file","value":null,"origin":"default"}]}"#
    let daemon = FakeDaemon { client in
      #expect(client.readLine() == #"{"type":"hotline.config"}"#)
      client.send(line)
      _ = client.readToEnd()
    }
    let page = """
      file: -

      KEY          ORIGIN   VALUE
      socket.path  flag     /s
      a.headers    file     {"X":"***"}
      a.ca_file    default  -

      """
    #expect(
      Program("config", socket: daemon.path).finish() == .init(status: 0, output: page, error: ""))
  }

  // MARK: Cancel

  private static let status =
    #"{"type":"hotline.status","clients":[{"number":3,"command":"one","requests":["#
    + #"{"request_id":"a\u0062"},{"request_id":17}]},{"number":4,"command":"two","requests":["#
    + #"{"request_id":"x"},{"request_id":"17"}]}]}"#

  private func cancel(_ arguments: String..., expecting command: String?) -> Program.Ending {
    let daemon = FakeDaemon { client in
      #expect(client.readLine() == #"{"type":"hotline.status"}"#)
      client.send(Self.status)
      if let command {
        #expect(client.readLine() == command)
        client.send(#"{"type":"hotline.ok","request_id":1}"#)
      }
      #expect(client.readToEnd().isEmpty)
    }
    return Program(arguments: ["cancel"] + arguments, socket: daemon.path).finish()
  }

  @Test func cancelFindsTheRequest() {
    let done = Program.Ending(status: 0, output: "", error: "")
    #expect(
      cancel("ab", expecting: #"{"type":"hotline.cancel","client":3,"request_id":"a\u0062"}"#)
        == done)
    #expect(
      cancel(
        "17", "--client", "4",
        expecting: #"{"type":"hotline.cancel","client":4,"request_id":"17"}"#) == done)
    #expect(
      cancel(
        "17", "--client", "3", expecting: #"{"type":"hotline.cancel","client":3,"request_id":17}"#)
        == done)
  }

  @Test func whatIsNotThereOrNotClearIsNotCancelled() {
    let none = cancel("y", expecting: nil)
    #expect(none.status == 1)
    #expect(none.error.contains("no open request has the id \"y\""))
    let several = cancel("17", expecting: nil)
    #expect(several.status == 2)
    #expect(several.error.contains("of the clients 3 (one), 4 (two)"))
  }
}
