import Testing

@testable import HotlineTransport

struct UpstreamAddressTests {
  @Test(arguments: [
    ("wss://api.example.com/v1/realtime", "api.example.com", 443, "/v1/realtime", true, false),
    ("WSS://API.Example.COM", "api.example.com", 443, "/", true, false),
    ("ws://localhost:8080/x?y=z", "localhost", 8080, "/x?y=z", false, false),
    ("wss://h?model=a%20b", "h", 443, "/?model=a%20b", true, false),
    ("wss://127.0.0.1:1/", "127.0.0.1", 1, "/", true, true),
    ("wss://[2001:DB8::1]:65535/a", "2001:db8::1", 65535, "/a", true, true),
    ("ws://[::1]", "::1", 80, "/", false, true),
    ("wss://a-b.c_d.e1/", "a-b.c_d.e1", 443, "/", true, false),
  ])
  func urlIsTakenApart(
    _ url: String, _ host: String, _ port: Int, _ target: String, _ isSecure: Bool, _ isIP: Bool
  ) throws {
    let address = try UpstreamAddress(url: url)
    #expect(address.host == host)
    #expect(address.port == port)
    #expect(address.target == target)
    #expect(address.isSecure == isSecure)
    #expect(address.isIPAddress == isIP)
  }

  @Test(arguments: [
    ("ws+unix:/run/s.sock:/v1/responses?a=b", "/run/s.sock", "/v1/responses?a=b"),
    ("WS+Unix:///run/s.sock:/v1", "/run/s.sock", "/v1"), ("ws+unix:/s", "/s", "/"),
    ("ws+unix:/a:", "/a", "/"), ("ws+unix:/a:?q", "/a", "/?q"), ("ws+unix:/a:b", "/a", "/b"),
  ])
  func aSocketOfThisMachineHasAPathInPlaceOfAHost(
    _ url: String, _ path: String, _ target: String
  ) throws {
    let address = try UpstreamAddress(url: url)
    #expect(address.socketPath == path && address.description == path)
    #expect(address.target == target)
    #expect(address.hostHeader == "localhost" && !address.isSecure && !address.isIPAddress)
    #expect(try UpstreamAddress(url: "ws://localhost/").socketPath == nil)
  }

  @Test func aSocketsPathMayHaveAsManyBytesAsTheKernelTakes() throws {
    let path = "/" + String(repeating: "s", count: UpstreamAddress.socketPathBytesMax - 1)
    #expect(try UpstreamAddress(url: "ws+unix:\(path):/").socketPath == path)
    #expect(throws: UpstreamAddress.Invalid.self) {
      try UpstreamAddress(url: "ws+unix:\(path)s:/")
    }
  }

  @Test(arguments: [
    ("wss://h/", "h"), ("wss://h:443/", "h"), ("wss://h:80/", "h:80"), ("ws://h:80/", "h"),
    ("ws://h:443/", "h:443"), ("wss://[::1]/", "[::1]"), ("wss://[::1]:8443/", "[::1]:8443"),
  ])
  func hostFieldHasThePortUnlessItIsTheSchemes(_ url: String, _ field: String) throws {
    #expect(try UpstreamAddress(url: url).hostHeader == field)
  }

  @Test(arguments: [
    ("", "wss://"), ("https://h/", "wss://"), ("wss:/h/", "wss://"), ("wss//h", "wss://"),
    ("wss://", "no host"), ("wss:///path", "no host"), ("wss://:443/", "no host"),
    ("wss://user:pass@h/", "user part"), ("wss://key@h", "user part"),
    ("wss://h/#top", "fragment"), ("wss://h#top", "fragment"), ("wss://h:/", "port"),
    ("wss://h:0/", "port"), ("wss://h:65536/", "port"), ("wss://h:4 43/", "space"),
    ("wss://h:000443/", "port"), ("wss://h:-1/", "port"), ("wss://h:443:443/", "port"),
    ("wss://[::1/", "no ]"), ("wss://[1.2.3.4]/", "IPv6"), ("wss://[fe80::1%25eth0]/", "IPv6"),
    ("wss://[]/", "IPv6"), ("wss://[::1]x/", "after"), ("wss://h..x/", "host name"),
    ("wss://h./", "host name"), ("wss://-h/", "host name"), ("wss://h!/", "host name"),
    ("wss://1.2.3/", "IPv4"), ("wss://256.1.1.1/", "IPv4"), ("wss://1.2.3.4.5/", "IPv4"),
    ("wss://bücher.example/", "beyond ASCII"), ("wss://h/a b", "space"),
    ("wss://h/\r\nX: y", "control"), ("wss://h/%zz", "%"), ("wss://h/%4", "%"),
    ("ws+unix:", "no absolute path"), ("ws+unix:/", "no absolute path"),
    ("ws+unix:s:/", "no absolute path"), ("ws+unix://h/s", "no absolute path"),
    ("ws+unix:/s?q", "path of its socket"), ("ws+unix:/s%20", "path of its socket"),
    ("ws+unix:/s:/#f", "fragment"), ("wss+unix:/s", "wss://"),
    ("wss://h/{x}", "percent-encoded"), ("wss://h/\"", "percent-encoded"),
  ])
  func anythingElseIsRefusedWithItsReason(_ url: String, _ reason: String) {
    do {
      let address = try UpstreamAddress(url: url)
      Issue.record("\(url) was taken as \(address)")
    } catch {
      #expect(error.description.contains(reason), "\(error)")
      #expect(!error.description.contains("pass"))
      #expect(error.description == "the URL " + error.explanation)
    }
  }

  @Test func urlMayHaveTheLimitAndNoByteMore() throws {
    let url = "wss://h/".padded(to: UpstreamAddress.urlBytesMax)
    #expect(try UpstreamAddress(url: url).target.utf8.count == UpstreamAddress.urlBytesMax - 7)
    #expect(throws: UpstreamAddress.Invalid.self) { try UpstreamAddress(url: url + "x") }
  }
}

extension String {
  func padded(to count: Int) -> String {
    self + String(repeating: "x", count: count - utf8.count)
  }
}
