// A client of hotlined on Go's standard library: copy what stands above the examples.
//
//	go run hotline.go ask|stream|tools|parallel|cancel [TEXT...]
//
// Without TEXT the question is standard input. README.md has the exit status.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
)

// Object is a JSON object to be sent.
type Object map[string]interface{}

// Line is one of the daemon's lines; the members that nobody asks for are not looked into.
type Line map[string]json.RawMessage

// Text is a member's value if that is a string, else "".
func (l Line) Text(name string) (text string) {
	_ = json.Unmarshal(l[name], &text)
	return text
}

// Answer is what has come of one request; it is over when it has an outcome.
type Answer struct {
	ID, Text, Outcome string
	Response          struct {
		Output []struct {
			Type, Name, Arguments string
			CallID                string `json:"call_id"`
			Content               []struct{ Text string }
		}
		Error struct{ Message string }
	}
	retryable bool
}

func (a *Answer) take(line Line) {
	switch line.Text("type") {
	case "response.output_text.delta":
		a.Text += line.Text("delta")
	case "response.completed", "response.incomplete", "response.failed":
		_ = json.Unmarshal(line["response"], &a.Response)
		for i := 0; a.Text == "" && i < len(a.Response.Output); i++ {
			for _, part := range a.Response.Output[i].Content {
				a.Text += part.Text
			}
		}
	case "error":
		hotline := struct{ Accepted, Retryable bool }{Accepted: true}
		_ = json.Unmarshal(line["hotline"], &hotline)
		_ = json.Unmarshal(line["error"], &a.Response.Error)
		a.Response.Error.Message += line.Text("message") // There in the other shape of errors.
		a.retryable = hotline.Retryable
		if !hotline.Accepted { // Refused: nothing follows. After other errors a hotline.done does.
			a.Outcome = "error"
		}
	case "hotline.done":
		a.Outcome = line.Text("outcome")
	}
}

// Status is the exit status that tells the outcome.
func (a *Answer) Status() int {
	known := map[string]int{"completed": 0, "incomplete": 3, "cancelled": 130}
	if status, isKnown := known[a.Outcome]; isKnown {
		return status
	} else if a.retryable {
		return 75
	}
	return 1
}

// Client is a connection with any number of requests side by side, for one goroutine.
type Client struct {
	lines    *bufio.Reader
	outgoing chan []byte
	open     map[string]*Answer
	made     int
}

// Dial connects to the daemon at its usual place.
func Dial() (*Client, error) {
	path, directory := os.Getenv("HOTLINE_SOCKET"), os.Getenv("XDG_RUNTIME_DIR")
	if path == "" && directory == "" {
		return nil, errors.New("cannot reach hotlined: set HOTLINE_SOCKET or XDG_RUNTIME_DIR")
	} else if path == "" {
		path = directory + "/hotline.sock"
	}
	connection, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("cannot reach hotlined at %s: %w", path, err)
	}
	c := &Client{bufio.NewReader(connection), make(chan []byte, 64), map[string]*Answer{}, 0}
	go func() { // Because the daemon may wait for us to read while we write.
		for line := range c.outgoing {
			_, _ = connection.Write(line) // If the daemon has closed, reading tells.
		}
		_ = connection.CloseWrite()
	}()
	return c, nil
}

// Request sends a request and returns its answer to come. The options are those of hotline.
func (c *Client) Request(response, options Object) *Answer {
	c.made++
	answer := &Answer{ID: fmt.Sprint("q", c.made)}
	c.open[answer.ID] = answer
	c.send(Object{"type": "response.create", "request_id": answer.ID, "hotline": options,
		"response": response})
	return answer
}

// Cancel asks for the request's end, which still has a last line.
func (c *Client) Cancel(answer *Answer) {
	c.send(Object{"type": "response.cancel", "request_id": answer.ID})
}

// Finish says that no more requests come: the daemon closes after the last answer.
func (c *Client) Finish() { close(c.outgoing) }

func (c *Client) send(line Object) {
	text, err := json.Marshal(line)
	if err != nil {
		panic(err)
	}
	c.outgoing <- append(text, '\n')
}

// Read waits for the next line of a request, which its answer takes.
func (c *Client) Read() (Line, error) {
	for {
		text, err := c.lines.ReadBytes('\n')
		line := Line{}
		if err != nil || json.Unmarshal(text, &line) != nil {
			return nil, errors.New("hotlined closed the connection before the last line")
		}
		if answer := c.open[line.Text("request_id")]; answer != nil {
			answer.take(line)
			if answer.Outcome != "" {
				delete(c.open, answer.ID)
			}
			return line, nil
		} else if line.Text("type") == "error" && string(line["request_id"]) == "null" {
			said := Line{}
			_ = json.Unmarshal(line["error"], &said)
			return nil, errors.New("refused by hotlined: " + said.Text("message"))
		}
	}
}

// Examples: each returns the answers that decide about the exit status.

const model = "gpt-5.3-codex"

var countWords = Object{"type": "function", "name": "count_words", "parameters": Object{
	"type": "object", "properties": Object{"answer": Object{"type": "string"}}}}

// ask: one request, and no event but the last.
func ask(c *Client, text string) []*Answer {
	answer := c.Request(Object{"model": model, "input": text}, Object{"events": "final"})
	c.Finish()
	fmt.Println(wait(c, answer).Text)
	return []*Answer{answer}
}

// stream: the text as it comes, cancelled after so many deltas.
func stream(c *Client, text string, deltasMax int) []*Answer {
	answer := c.Request(Object{"model": model, "input": text}, Object{})
	for answer.Outcome == "" {
		line, err := c.Read()
		check(err)
		if line.Text("type") == "response.output_text.delta" {
			fmt.Print(line.Text("delta"))
			if deltasMax--; deltasMax == 0 {
				c.Cancel(answer) // A hotline.done still comes.
			}
		}
	}
	fmt.Println()
	return []*Answer{answer}
}

// tools: the model calls a function; the result goes back with the whole conversation.
func tools(c *Client, text string) []*Answer {
	options := Object{"conversation": fmt.Sprint("tools-", os.Getpid())}
	input := []Object{{"role": "user", "content": text}}
	response := Object{"model": model, "tools": []Object{countWords}, "input": input}
	answer := wait(c, c.Request(response, options))
	for _, item := range answer.Response.Output {
		if item.Type == "function_call" {
			var arguments struct{ Answer string }
			check(json.Unmarshal([]byte(item.Arguments), &arguments))
			output := fmt.Sprint(len(strings.Fields(arguments.Answer)), " words")
			input = append(input, Object{"type": item.Type, "call_id": item.CallID,
				"name": item.Name, "arguments": item.Arguments},
				Object{"type": "function_call_output", "call_id": item.CallID, "output": output})
		}
	}
	if len(input) > 1 {
		response["input"] = input
		answer = wait(c, c.Request(response, options))
	}
	fmt.Println(answer.Text)
	return []*Answer{answer}
}

// parallel: ten requests on one connection, whose events come in any order.
func parallel(c *Client, text string) (answers []*Answer) {
	for number := 1; number <= 10; number++ {
		question := fmt.Sprint(text, " ", number)
		answers = append(answers, c.Request(Object{"model": model, "input": question}, Object{}))
	}
	for index, answer := range answers {
		fmt.Printf("%d: %s\n", index+1, wait(c, answer).Text)
	}
	return answers
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "hotline:", err)
		os.Exit(69)
	}
}

func wait(c *Client, answer *Answer) *Answer {
	for answer.Outcome == "" {
		_, err := c.Read()
		check(err)
	}
	return answer
}

func main() {
	examples := map[string]func(*Client, string) []*Answer{"ask": ask, "tools": tools, "parallel": parallel,
		"stream": func(c *Client, text string) []*Answer { return stream(c, text, 0) },
		"cancel": func(c *Client, text string) []*Answer { return stream(c, text, 3) }}
	words := append(os.Args[1:], "")
	example := examples[words[0]]
	if example == nil {
		fmt.Fprintln(os.Stderr, "usage: hotline ask|stream|tools|parallel|cancel [TEXT...]")
		os.Exit(2)
	}
	text := strings.TrimSpace(strings.Join(words[1:], " "))
	if text == "" {
		input, err := io.ReadAll(os.Stdin)
		check(err)
		text = string(input)
	}
	client, err := Dial()
	check(err)
	worst := 0
	for _, answer := range example(client, text) {
		if status := answer.Status(); status != 0 {
			problem := answer.Outcome + ": " + answer.Response.Error.Message
			fmt.Fprintln(os.Stderr, "hotline:", strings.TrimSuffix(problem, ": "))
			if status > worst {
				worst = status
			}
		}
	}
	os.Exit(worst)
}
