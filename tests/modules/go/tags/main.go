// Tags writes its configuration into a header of request and response, and logs what became of the request.
package main

import (
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm"
	"github.com/proxy-wasm/proxy-wasm-go-sdk/proxywasm/types"
)

func main() {}

func init() {
	proxywasm.SetPluginContext(func(uint32) types.PluginContext { return &plugin{} })
}

type plugin struct {
	types.DefaultPluginContext
	tag string
}

func (p *plugin) OnPluginStart(int) types.OnPluginStartStatus {
	configuration, err := proxywasm.GetPluginConfiguration()
	if err != nil || len(configuration) == 0 {
		proxywasm.LogErrorf("no configuration: %v", err)
		return types.OnPluginStartStatusFailed
	}
	p.tag = string(configuration)
	return types.OnPluginStartStatusOK
}

func (p *plugin) NewHttpContext(uint32) types.HttpContext { return &tags{tag: p.tag} }

type tags struct {
	types.DefaultHttpContext
	tag  string
	path string
}

func (t *tags) OnHttpRequestHeaders(int, bool) types.Action {
	t.path, _ = proxywasm.GetHttpRequestHeader(":path")
	if err := proxywasm.AddHttpRequestHeader("x-tag", t.tag); err != nil {
		proxywasm.LogCriticalf("%v", err)
	}
	return types.ActionContinue
}

func (t *tags) OnHttpRequestBody(size int, end bool) types.Action {
	if !end {
		return types.ActionPause
	}
	if err := proxywasm.AppendHttpRequestBody([]byte("!")); err != nil {
		proxywasm.LogCriticalf("%v", err)
	}
	return types.ActionContinue
}

func (t *tags) OnHttpResponseHeaders(int, bool) types.Action {
	if err := proxywasm.ReplaceHttpResponseHeader("x-tag", t.tag); err != nil {
		proxywasm.LogCriticalf("%v", err)
	}
	return types.ActionContinue
}

func (t *tags) OnHttpStreamDone() { proxywasm.LogInfof("done with %s", t.path) }
