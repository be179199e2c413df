// Gate asks another service about each request and holds it meanwhile: 200 lets it go on, anything else is 403.
package main

import (
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm"
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"
)

func main() {}

func init() {
	proxywasm.SetHttpContext(func(uint32) types.HttpContext { return &gate{} })
}

type gate struct {
	types.DefaultHttpContext
}

func (g *gate) OnHttpRequestHeaders(int, bool) types.Action {
	headers := [][2]string{{":method", "GET"}, {":path", "/may"}, {":authority", "auth"}}
	if _, err := proxywasm.DispatchHttpCall("auth", headers, nil, nil, 250, g.answered); err != nil {
		_ = proxywasm.SendHttpResponse(500, nil, []byte(err.Error()), -1)
	}
	return types.ActionPause
}

func (g *gate) answered(headers, bodySize, _ int) {
	body, _ := proxywasm.GetHttpCallResponseBody(0, bodySize)
	pairs, _ := proxywasm.GetHttpCallResponseHeaders()
	for _, pair := range pairs {
		if pair[0] == ":status" && pair[1] == "200" {
			_ = proxywasm.AddHttpRequestHeader("x-gate", "open")
			_ = proxywasm.ResumeHttpRequest()
			return
		}
	}
	_ = proxywasm.SendHttpResponse(403, [][2]string{{"x-gate", "shut"}}, body, -1)
}
