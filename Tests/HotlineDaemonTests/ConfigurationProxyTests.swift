import HotlineTransport
import Testing

@testable import HotlineDaemon

@Suite struct ConfigurationProxyTests {
  private func proxy(
    _ environment: [String: String], _ toml: String? = nil, url: String? = nil
  ) throws -> String? {
    var world = World(toml)
    world.options.url = url
    world.environment.merge(environment) { _, new in new }
    return try world.load().upstreams[0].proxy?.description
  }

  @Test func withoutVariablesThereIsNoProxy() throws {
    #expect(try proxy([:]) == nil)
    #expect(try proxy(["HTTPS_PROXY": "", "ALL_PROXY": ""]) == nil)
    #expect(try proxy(["HTTP_PROXY": "h:1", "http_proxy": "h:1"]) == nil)
  }

  @Test func theFirstVariableThatIsSetDecides() throws {
    var environment = [
      "https_proxy": "http://a:1", "HTTPS_PROXY": "https://b:2", "all_proxy": "socks5://c:3",
      "ALL_PROXY": "socks5h://d:4",
    ]
    for (name, shown) in [
      ("https_proxy", "http://a:1"), ("HTTPS_PROXY", "https://b:2"),
      ("all_proxy", "socks5://c:3"), ("ALL_PROXY", "socks5h://d:4"),
    ] {
      #expect(try proxy(environment) == shown)
      environment[name] = ""
    }
    #expect(try proxy(environment) == nil)
  }

  @Test func serversThatAreListedAreReachedWithoutIt() throws {
    let environment = ["HTTPS_PROXY": "p:1"]
    func without(_ name: String, _ list: String) throws -> Bool {
      try proxy(environment.merging([name: list]) { _, new in new }) == nil
    }
    #expect(try !without("NO_PROXY", "other.example"))
    #expect(try without("NO_PROXY", "other.example,smartaipi.com"))
    #expect(try without("no_proxy", "*"))
    #expect(try without("no_proxy", "api.smartaipi.com:443"))
    #expect(try !without("no_proxy", "api.smartaipi.com:444"))
    let both = ["HTTPS_PROXY": "p:1", "no_proxy": "x", "NO_PROXY": "*"]
    #expect(try proxy(both) == "http://p:1")
    let local = ["HTTPS_PROXY": "p:1", "NO_PROXY": "127.0.0.0/8"]
    #expect(try proxy(local, url: "wss://127.1.2.3/") == nil)
    #expect(try proxy(local, url: "wss://128.1.2.3/") == "http://p:1")
  }

  @Test func aServerOnThisMachineByWSNeedsNone() throws {
    let environment = ["ALL_PROXY": "p:1"]
    #expect(try proxy(environment, url: "ws://127.0.0.1:1/") == nil)
    #expect(try proxy(environment, url: "wss://localhost/") == "http://p:1")
    let toml = "[upstream.smartaipi]\nproxy = \"socks5://localhost\""
    #expect(try proxy(environment, toml, url: "ws://127.0.0.1:1/") == "socks5://localhost:1080")
  }

  private func problems(ofAProxyFor url: String) -> [String] {
    World(
      """
      [upstream.smartaipi]
      url = "\(url)"
      proxy = "https://proxy.example"
      """
    ).problems()
  }

  @Test func noKeyTravelsInTheClearToAProxy() throws {
    #expect(
      problems(ofAProxyFor: "ws://127.0.0.1:1/") == [
        "upstream.smartaipi.proxy: ws:// would carry the key in the clear to the proxy's machine; "
          + "use wss://, or leave the proxy out (line 3)"
      ])
  }

  @Test func aSocketOfThisMachineIsReachedWithoutAProxy() throws {
    #expect(try proxy(["ALL_PROXY": "p:1"], url: "ws+unix:/run/s:/v1") == nil)
    #expect(
      problems(ofAProxyFor: "ws+unix:/run/s:/v1") == [
        "upstream.smartaipi.proxy: no proxy reaches a Unix socket of this machine; leave it out "
          + "(line 3)"
      ])
  }

  @Test func theUpstreamsOwnKeyComesBeforeTheEnvironment() throws {
    let environment = ["HTTPS_PROXY": "p:1", "NO_PROXY": "*"]
    let own = "[upstream.smartaipi]\nproxy = \"https://u:hunter2@q:2\""
    #expect(try proxy(environment, own) == "https://q:2")
    let none = "[upstream.smartaipi]\nproxy = \"none\""
    #expect(try proxy(["HTTPS_PROXY": "p:1"], none) == nil)
  }

  @Test func whereAProxyCameFromIsKnown() throws {
    var world = World("[upstream.smartaipi]\nproxy = \"q:2\"")
    #expect(try world.load().origins["upstream.smartaipi.proxy"] == .file)
    world = World()
    world.environment["ALL_PROXY"] = "p:1"
    #expect(try world.load().origins["upstream.smartaipi.proxy"] == .environment)
  }

  @Test func aVariableThatCannotBeUsedIsNamedOnce() throws {
    var world = World("[upstream.a]\n[upstream.b]\n[upstream.c]\nproxy = \"none\"")
    world.environment["ALL_PROXY"] = "ftp://user:canary@h"
    #expect(
      world.problems() == [
        "$ALL_PROXY: the URL begins with none of http://, https://, socks5:// and socks5h://; "
          + "http://HOST:PORT, https://, socks5:// or socks5h:// would do; proxy = \"none\" in "
          + "[upstream.a] does without"
      ])
    world.environment["NO_PROXY"] = "*"
    #expect(world.problems() == [])
  }
}
