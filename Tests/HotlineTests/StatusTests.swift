import Testing

@testable import hotline

/// The page that `status` makes of the daemon's line.
@Suite struct StatusTests {
  private static let line =
    #"{"type":"hotline.status","protocol":1,"version":"9.8.7","pid":4321,"uptime_s":75,"#
    + #""state":"running","upstreams":[{"name":"a","url":"wss://a.example/v1","#
    + #""proxy":"socks5h://proxy.example:1080","default":true,"#
    + #""state":"backoff","last_error":"refused\u001b[2J","tls":{"handshakes":9,"resumed":7},"#
    + #""saved_bytes":1234567,"rate_limits":[{"name":"primary","limit":null,"remaining":null,"#
    + #""used_percent":99.6,"reset_s":7260},{"name":"requests","limit":60,"remaining":59,"#
    + #""used_percent":null,"reset_s":1}],"waiting":2,"connections_warm":1,"connections_max":8,"#
    + #""lane_names":"absent","warm_up":"refused","warm_ups_sent":3,"warm_ups_failed":1,"#
    + #""connections":["#
    + #"{"number":7,"state":"busy","age_s":61,"idle_s":null,"rtt_ms":12.34,"requests":5,"#
    + #""lanes":16,"lanes_busy":3,"tls_version":"TLSv1.3","tls_resumed":true,"#
    + #""headers":{"openai-version":"old"}},{"number":12,"state":"ready","age_s":90000,"#
    + #""idle_s":3599,"rtt_ms":null,"requests":0,"lanes":1,"lanes_busy":0,"#
    + #""tls_version":"TLSv1.2","tls_resumed":false,"headers":{"openai-version":"2020-10-01","#
    + #""x-ratelimit-remaining-requests":"59\n"}},{"number":13,"state":"dialing","age_s":0,"#
    + #""idle_s":null,"rtt_ms":null,"requests":0,"lanes":1,"lanes_busy":0,"tls_version":null,"#
    + #""tls_resumed":null,"headers":{}}]},"#
    + #"{"name":"b","url":"ws://127.0.0.1:8080/","proxy":null,"default":false,"state":"ok","#
    + #""last_error":null,"tls":null,"saved_bytes":0,"waiting":0,"connections_warm":0,"#
    + #""connections_max":1,"lane_names":"echoed","warm_up":"on","warm_ups_sent":0,"#
    + #""warm_ups_failed":0,"#
    + #""connections":[]}],"queue":{"waiting":2,"max":1024},"clients":[{"number":3,"#
    + #""pid":12,"uid":1000,"command":"so\ncat","open_requests":1,"unread_bytes":2048}],"#
    + #""memory_bytes":1572864}"#

  private static let page = """
    hotlined 9.8.7, pid 4321, running, up 1 min 15 s
    2 of at most 1024 requests waiting
    1.5 MiB of lines and events held

    a (default)
      state        backoff
      url          wss://a.example/v1
      proxy        socks5h://proxy.example:1080
      connections  3 of at most 8, 1 kept warm
      requests     2 waiting
      TLS          9 handshakes, 7 of them resumed (78 %)
      compression  1.2 MiB saved
      lanes        not known to the server: one response at a time on a connection
      warm-ups     3 sent, 1 failed; refused: no more until a reload
      rate limit   primary: 100 % used, whole again in 2h1m
      rate limit   requests: 59 of 60 left, whole again in 1s
      last error   refused [2J

      CONNECTION  STATE    AGE   IDLE    RTT      REQUESTS  LANES  TLS
      7           busy     1m1s  -       12.3 ms  5         3/16   1.3 resumed
      12          ready    1d1h  59m59s  -        0         0/1    1.2
      13          dialing  0s    -       -        0         0/1    -

      headers that came with connection 12:
        openai-version:                  2020-10-01
        x-ratelimit-remaining-requests:  59

    b
      state        ok
      url          ws://127.0.0.1:8080/
      connections  0 of at most 1, 0 kept warm
      requests     0 waiting
      lanes        named by the server
      warm-ups     0 sent, 0 failed

    CLIENT  PID  UID   REQUESTS  UNREAD   COMMAND
    3       12   1000  1         2.0 KiB  so cat

    """

  private func daemon(_ line: String) -> FakeDaemon {
    FakeDaemon { client in
      #expect(client.readLine() == #"{"type":"hotline.status"}"#)
      client.send(line)
      _ = client.readToEnd()
    }
  }

  private func page(_ line: String, _ arguments: String...) -> Program.Ending {
    let daemon = daemon(line)
    return Program(arguments: ["status"] + arguments, socket: daemon.path).finish()
  }

  @Test func everythingHasItsPlaceOnThePage() {
    #expect(page(Self.line) == Program.Ending(status: 0, output: Self.page, error: ""))
  }

  @Test func asJSONItIsTheDaemonsLine() {
    #expect(page(Self.line, "--json").output == Self.line + "\n")
  }

  @Test func whatCompressionCostsIsNoGain() {
    let line = #"{"type":"hotline.status","upstreams":[{"saved_bytes":-2048}]}"#
    #expect(page(line).output.contains("\n  compression  2.0 KiB lost\n"))
  }

  @Test func membersThatAreMissingOrStrangeAreBorne() {
    let ending = page(
      #"{"type":"hotline.status","upstreams":[{"connections":[{"headers":{"a":1}}]},7],"#
        + #""clients":{}}"#)
    #expect(ending.status == 0)
    #expect(ending.output.hasPrefix("hotlined -, pid -\n\n-\n  state        -\n"))
    #expect(ending.output.contains("\n    a:  -\n"))
  }

  // MARK: Width

  @Test func theWidestUsualValuesFitIntoEightyColumns() {
    let long = String(repeating: "n", count: 64)
    let line =
      #"{"type":"hotline.status","version":"10.20.30","pid":4194304,"uptime_s":86000000,"#
      + #""state":"draining","upstreams":[{"name":"\#(long)","url":"u","default":true,"#
      + #""state":"connecting","waiting":1000000,"connections_warm":1024,"#
      + #""connections_max":1024,"connections":[{"number":9999999999,"state":"retiring","#
      + #""age_s":86399,"idle_s":3599,"rtt_ms":1234,"requests":99999999,"lanes":16,"#
      + #""lanes_busy":16,"tls_version":"TLSv1.3","tls_resumed":true}]}],"#
      + #""queue":{"waiting":1000000,"max":1000000},"clients":[{"number":9999999999,"#
      + #""pid":4194304,"uid":4294967294,"command":"fifteen letters","open_requests":65536,"#
      + #""unread_bytes":1048000000}],"memory_bytes":549755813888}"#
    let output = page(line).output
    #expect(widest(output) <= 80, "\(output)")
    #expect(!output.contains("…"), "\(output)")
  }

  @Test func longerOnesAreBrokenOrCut() {
    let url = "wss://h/" + String(repeating: "0123456789", count: 20)
    let words = String(repeating: "word ", count: 60)
    let headers = #"{"\#(String(repeating: "x", count: 128))":"\#(words)"}"#
    let line =
      #"{"type":"hotline.status","version":"\#(words)","upstreams":[{"name":"a","url":"\#(url)","#
      + #""last_error":"\#(words)","connections":[{"tls_version":"\#(words)","#
      + #""headers":\#(headers)}]}],"clients":[{"command":"\#(words)"}]}"#
    let output = page(line).output
    #expect(widest(output) == 80, "\(output)")
    // All of what is broken is there, and what is cut says so.
    #expect(output.filter(\.isNumber).count >= 200)
    #expect(output.split(separator: "\n").filter { $0.hasSuffix("…") }.count == 2)
  }

  private func widest(_ page: String) -> Int {
    page.split(separator: "\n").map(\.count).max() ?? 0
  }

  @Test(arguments: [
    ("", 4, [""]), ("abcd", 4, ["abcd"]), ("abcde", 4, ["abcd", "e"]),
    ("ab cd", 5, ["ab cd"]), ("ab cd", 4, ["ab", "cd"]),
    ("a bcdefgh i", 3, ["a", "bcd", "efg", "h i"]),
  ])
  func linesAreBrokenBetweenWordsWherePossible(_ text: String, _ columns: Int, _ lines: [String]) {
    #expect(TextList.broken(text, columns: columns) == lines)
  }

  // MARK: Colour

  private func terminal(_ variables: [String: String]) -> String {
    let daemon = daemon(Self.line)
    return Program(
      "status", socket: daemon.path, variables: variables, output: .terminal
    ).finish().output
  }

  @Test func aTerminalSeesStatesInColour() {
    let output = terminal(["TERM": "xterm"])
    #expect(output.contains("  state        \u{1B}[33mbackoff\u{1B}[0m\n"))
    #expect(output.contains("  state        \u{1B}[32mok\u{1B}[0m\n"))
    #expect(output.contains("\u{1B}[1m  CONNECTION  STATE"))
    // The daemon's own escape sequences stay out.
    #expect(!output.contains("\u{1B}[2J"))
    let empty = terminal(["TERM": "xterm", "NO_COLOR": ""])
    #expect(empty == output)
  }

  @Test(arguments: [["TERM": "xterm", "NO_COLOR": "0"], ["TERM": "dumb"], [:]])
  func colourThatIsUnwantedOrNotKnownIsLeftOut(_ variables: [String: String]) {
    #expect(terminal(variables) == Self.page)
  }
}
