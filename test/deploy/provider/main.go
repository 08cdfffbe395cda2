// A stand-in for Google's provider of Terraform that has the schemas of its resources and calls no API: validate and plan work, apply
// does not. The schemas are in the JSON file that the variable PROVIDER_SCHEMAS names.
package main

import (
	"context"
	"encoding/json"
	"os"

	"github.com/hashicorp/terraform-plugin-sdk/v2/diag"
	"github.com/hashicorp/terraform-plugin-sdk/v2/helper/schema"
	"github.com/hashicorp/terraform-plugin-sdk/v2/plugin"
)

// Attribute is an attribute or a block.
type Attribute struct {
	// Type is string, number, bool, list, map or block.
	Type string `json:"type"`
	// Element is the type of the elements of a list or a map.
	Element  string `json:"element"`
	Required bool   `json:"required"`
	// Computed is set for what only the service knows.
	Computed bool `json:"computed"`
	// Single is set for a block that may occur once.
	Single     bool                 `json:"single"`
	Attributes map[string]Attribute `json:"attributes"`
}

// Schemas has the attributes of each resource and data source.
type Schemas struct {
	Resources   map[string]map[string]Attribute `json:"resources"`
	DataSources map[string]map[string]Attribute `json:"dataSources"`
}

var types = map[string]schema.ValueType{
	"string": schema.TypeString,
	"number": schema.TypeFloat,
	"bool":   schema.TypeBool,
	"list":   schema.TypeList,
	"map":    schema.TypeMap,
	"block":  schema.TypeList,
}

func attributes(all map[string]Attribute) map[string]*schema.Schema {
	schemas := map[string]*schema.Schema{}
	for name, attribute := range all {
		one := &schema.Schema{
			Type:     types[attribute.Type],
			Required: attribute.Required,
			Optional: !attribute.Required && !attribute.Computed,
			Computed: attribute.Computed,
		}
		switch attribute.Type {
		case "block":
			one.Elem = &schema.Resource{Schema: attributes(attribute.Attributes)}
			if attribute.Single {
				one.MaxItems = 1
			}
		case "list", "map":
			one.Elem = &schema.Schema{Type: types[attribute.Element]}
		}
		schemas[name] = one
	}
	return schemas
}

func refuse(context.Context, *schema.ResourceData, any) diag.Diagnostics {
	return diag.Errorf("this stand-in for Google's provider calls no API")
}

func read(_ context.Context, data *schema.ResourceData, _ any) diag.Diagnostics {
	data.SetId("projects/" + data.Get("project_id").(string))
	return diag.FromErr(data.Set("number", "123456789012"))
}

func provider() *schema.Provider {
	text, err := os.ReadFile(os.Getenv("PROVIDER_SCHEMAS"))
	if err != nil {
		panic(err)
	}
	var schemas Schemas
	if err := json.Unmarshal(text, &schemas); err != nil {
		panic(err)
	}
	result := &schema.Provider{
		ResourcesMap:   map[string]*schema.Resource{},
		DataSourcesMap: map[string]*schema.Resource{},
	}
	for name, all := range schemas.Resources {
		result.ResourcesMap[name] = &schema.Resource{
			Schema:        attributes(all),
			CreateContext: refuse,
			ReadContext:   refuse,
			UpdateContext: refuse,
			DeleteContext: refuse,
		}
	}
	for name, all := range schemas.DataSources {
		result.DataSourcesMap[name] = &schema.Resource{Schema: attributes(all), ReadContext: read}
	}
	return result
}

func main() {
	plugin.Serve(&plugin.ServeOpts{ProviderFunc: provider})
}
