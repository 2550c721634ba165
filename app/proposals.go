package app

import (
	"seaworthy/artifact/propose"
	"seaworthy/forge/github"
)

// ProposalsTo returns GitHub, or a forge that speaks its language, as the
// account of a token sees it, to propose promotions to. api is the address of
// its API, that of github.com if empty.
func ProposalsTo(api, token string) (propose.Forge, error) {
	return github.New(github.Options{BaseURL: api, Token: token})
}
